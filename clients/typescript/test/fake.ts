import { createClient, type Client, type ClientOptions } from "@qasid/client";
import { mock } from "node:test";

export const SESSION = "117b233c-fcee-5c30-b5f9-00032fb4b9ea";

/** Returns a response with JSON. */
export function json(body: unknown, init: ResponseInit = {}): Response {
  return Response.json(body, init);
}

/** A deployment that answers with scripted responses, the last one again and again. Records the requests. */
export class Deployment {
  readonly requests: { method: string; url: URL; headers: Headers; body: string; at: number }[] = [];
  readonly #responses: ((request: Request) => Response | Promise<Response>)[];

  constructor(...responses: ((request: Request) => Response | Promise<Response>)[]) {
    this.#responses = responses;
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const body = await request.text();
    const { method, url, headers } = request;
    this.requests.push({ method, url: new URL(url), headers, body, at: Date.now() });
    const response = this.#responses.length > 1 ? this.#responses.shift() : this.#responses[0];
    if (response === undefined) throw new Error("no response is scripted");
    return response(request);
  };

  client(options: Partial<ClientOptions> = {}): Client {
    const credential = "getToken" in options ? {} : { key: "qk_test" };
    return createClient({
      baseUrl: "https://qasid.example",
      fetch: this.fetch,
      ...credential,
      ...options,
    } as ClientOptions);
  }

  /** The milliseconds between the requests. */
  get pauses(): number[] {
    return this.requests.slice(1).map(({ at }, index) => at - (this.requests[index]?.at ?? 0));
  }
}

export const status =
  (status: number, headers: Record<string, string> = {}) =>
  () =>
    json({ error: "Try again", code: "unavailable", requestId: "r1" }, { status, headers });

export const lostConnection = (): never => {
  throw new TypeError("fetch failed");
};

/** Never answers. */
export const hang = (request: Request): Promise<Response> =>
  new Promise((_, reject) => {
    request.signal.addEventListener("abort", () => reject(request.signal.reason));
  });

/** Replaces the clock. Jitter takes its largest value, so that delays are known. */
export function fakeClock(): void {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_800_000_000_000 });
  mock.method(Math, "random", () => 1);
}

export function realClock(): void {
  mock.timers.reset();
  mock.restoreAll();
}

/** Lets what is due happen, until `isDone`, advancing the clock whenever everything waits for it. */
export async function advance(isDone: () => boolean, step = 250): Promise<void> {
  for (let turn = 0; turn < 10_000; turn += 1) {
    for (let task = 0; task < 20; task += 1) await new Promise((resolve) => setImmediate(resolve));
    if (isDone()) return;
    mock.timers.tick(step);
  }
  throw new Error("it never happened");
}

/** Advances the clock by a time, in which everything that is due happens. */
export async function pass(milliseconds: number): Promise<void> {
  const end = Date.now() + milliseconds;
  await advance(() => Date.now() >= end, 1_000);
}

/** Advances the clock until a promise is settled. */
export async function settled<T>(promise: Promise<T>, step?: number): Promise<T> {
  let isSettled = false;
  const end = (): void => {
    isSettled = true;
  };
  promise.then(end, end);
  await advance(() => isSettled, step);
  return promise;
}
