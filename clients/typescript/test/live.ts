import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** The longest wait for something that happens in the background, in milliseconds. */
const TIMEOUT = 60_000;

/** Items that arrive over time. */
export class Feed<T> {
  readonly #items: T[] = [];
  readonly #waiting = new Set<() => void>();

  add(item: T): void {
    this.#items.push(item);
    for (const check of [...this.#waiting]) check();
  }

  /** Returns the first item that is wanted, when it has arrived. */
  find(isWanted: (item: T) => boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`it didn't arrive; ${JSON.stringify(this.#items)} did`));
      }, TIMEOUT);
      const check = (): void => {
        const item = this.#items.find(isWanted);
        if (item === undefined) return;
        end();
        resolve(item);
      };
      this.#waiting.add(check);
      check();
    });
  }
}

type Handler = (request: { headers: IncomingHttpHeaders; body: Buffer }) => void | Promise<void>;

/** A receiver of webhooks. Responds with 401 if the handler of the path throws. */
export class Receiver {
  readonly #server: Server;
  readonly #handlers = new Map<string, Handler>();

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
      const challenge = searchParams.get("hub.challenge");
      if (challenge !== null) {
        response.end(challenge);
        return;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      try {
        await this.#handlers.get(pathname)?.({ headers: request.headers, body: Buffer.concat(chunks) });
        response.writeHead(204).end();
      } catch (error) {
        response.writeHead(401).end(String(error));
      }
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  on(path: string, handler: Handler): void {
    this.#handlers.set(path, handler);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
