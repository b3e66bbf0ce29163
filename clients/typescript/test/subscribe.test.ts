import type { Change } from "@qasid/client";
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import {
  advance,
  Deployment,
  fakeClock,
  hang,
  json,
  lostConnection,
  pass,
  realClock,
  SESSION,
  status,
} from "./fake.js";

const CHAT = "a6eb8280-9661-5e31-97f3-87177516d25f";
const OTHER_CHAT = "5f0d6d0c-1b1d-5d9f-a4c2-9a5c3b8b7e21";

beforeEach(fakeClock);
afterEach(realClock);

/** Returns a page of changes with these numbers. */
const page =
  (next: number, changes: readonly unknown[] = [], more = false) =>
  () =>
    json({ success: true, changes, next, more });

const change = (sequence: number, chat: string | null = CHAT, more: object = {}) => ({
  id: `change-${sequence}`,
  sequence,
  type: "chat.updated",
  chat_id: chat,
  ...more,
});

const expired = () =>
  json({ error: "Changes were deleted", code: "changes_expired", requestId: "r1" }, { status: 410 });

/** Records what a subscription reports. */
class Log {
  readonly lines: string[] = [];
  readonly onChange = (change: Change): void => void this.lines.push(`change ${change.sequence}`);
  readonly options = {
    onStatus: (status: string, error: { code: string } | null): void =>
      void this.lines.push(error === null ? status : `${status} ${error.code}`),
    onReload: (): void => void this.lines.push("reload"),
    onPosition: (position: number): void => void this.lines.push(`position ${position}`),
  };
}

const afters = (deployment: Deployment) => deployment.requests.map(({ url }) => url.searchParams.get("after"));

test("a subscription begins with the present position and follows from there, every 2 seconds", async () => {
  const deployment = new Deployment(page(5), page(7, [change(6), change(7)]), page(7));
  const log = new Log();
  const stop = deployment.client().subscribe({ sessionId: SESSION }, log.onChange, log.options);
  await advance(() => deployment.requests.length === 4);
  stop();
  assert.deepEqual(log.lines, ["live", "position 5", "change 6", "change 7", "position 7"]);
  assert.deepEqual(afters(deployment), [null, "5", "7", "7"]);
  assert.deepEqual(deployment.pauses, [2000, 2000, 2000]);
  assert.equal(deployment.requests[0]?.url.pathname, "/api/changes");
  assert.equal(deployment.requests[0]?.url.searchParams.get("sessionId"), SESSION);
});

test("a subscription continues from a position, and catches up without pauses", async () => {
  const deployment = new Deployment(
    page(1, [change(1)], true),
    page(2, [change(2)], true),
    page(3, [change(3)]),
    page(3),
  );
  const log = new Log();
  const stop = deployment.client().subscribe({ sessionId: SESSION, after: 0 }, log.onChange);
  await advance(() => deployment.requests.length === 4);
  stop();
  assert.deepEqual(log.lines, ["change 1", "change 2", "change 3"]);
  assert.deepEqual(afters(deployment), ["0", "1", "2", "3"]);
  const [first = 1, second = 1, third] = deployment.pauses;
  assert.ok(first < 500 && second < 500, `${first}, ${second}`);
  assert.equal(third, 2000);
});

test("handlers are called in order, and the position follows them", async () => {
  const deployment = new Deployment(page(2, [change(1), change(2)]), page(2));
  const lines: string[] = [];
  const stop = deployment.client().subscribe(
    { sessionId: SESSION, after: 0 },
    async ({ sequence }) => {
      lines.push(`begin ${sequence}`);
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      lines.push(`end ${sequence}`);
    },
    { onPosition: (position) => void lines.push(`position ${position}`) },
  );
  await advance(() => deployment.requests.length === 2);
  stop();
  assert.deepEqual(lines, ["begin 1", "end 1", "begin 2", "end 2", "position 2"]);
  assert.deepEqual(deployment.pauses, [12_000]);
});

test("failures are retried with growing pauses up to 30 seconds, and change the status once", async () => {
  const deployment = new Deployment(
    page(5),
    lostConnection,
    status(503),
    ...Array(4).fill(lostConnection),
    page(6, [change(6)]),
  );
  const log = new Log();
  const stop = deployment.client().subscribe({ sessionId: SESSION }, log.onChange, log.options);
  await advance(() => log.lines.includes("change 6"));
  stop();
  const expected = [
    "live",
    "position 5",
    "offline network_error",
    "offline unavailable",
    "offline network_error",
    "live",
  ];
  assert.deepEqual(log.lines, [...expected, "change 6", "position 6"]);
  assert.deepEqual(deployment.pauses, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("a failure waits for Retry-After", async () => {
  const deployment = new Deployment(status(429, { "retry-after": "25" }), page(1));
  const stop = deployment.client().subscribe({ sessionId: SESSION }, () => {});
  await advance(() => deployment.requests.length === 2);
  stop();
  assert.deepEqual(deployment.pauses, [25_000]);
});

test("after changes were missed, everything is read again from a new position", async () => {
  for (const missed of [
    expired,
    () => json({ error: "after", code: "invalid_query", requestId: "r1" }, { status: 400 }),
  ]) {
    const deployment = new Deployment(missed, page(9), page(10, [change(10)]), page(10));
    const lines: string[] = [];
    const stop = deployment
      .client()
      .subscribe({ sessionId: SESSION, after: 3 }, ({ sequence }) => void lines.push(`change ${sequence}`), {
        // The new position is known before anything is read, so that nothing is missed meanwhile.
        onReload: async () => {
          lines.push(`reload after request ${deployment.requests.length}`);
          await new Promise((resolve) => setTimeout(resolve, 1_000));
          lines.push("reloaded");
        },
        onStatus: (status) => void lines.push(status),
      });
    await advance(() => deployment.requests.length === 4);
    stop();
    assert.deepEqual(lines, ["live", "reload after request 2", "reloaded", "change 10"]);
    assert.deepEqual(afters(deployment), ["3", null, "9", "10"]);
  }
});

test("only changes of the chat are passed on, also after it was merged", async () => {
  const merged = (sequence: number, from: string, to: string) =>
    change(sequence, from, { type: "chat.merged", merged_into: to });
  const changes = [
    change(1),
    change(2, OTHER_CHAT),
    change(3, null),
    merged(4, CHAT, OTHER_CHAT),
    change(5, OTHER_CHAT),
  ];
  const deployment = new Deployment(page(5, changes), page(5));
  const log = new Log();
  const stop = deployment.client().subscribe({ sessionId: SESSION, chatId: CHAT, after: 0 }, log.onChange);
  await advance(() => deployment.requests.length === 2);
  stop();
  assert.deepEqual(log.lines, ["change 1", "change 4", "change 5"]);

  const into = new Deployment(page(2, [merged(1, OTHER_CHAT, CHAT), change(2, "third")]), page(2));
  const intoLog = new Log();
  const stopInto = into.client().subscribe({ sessionId: SESSION, chatId: CHAT, after: 0 }, intoLog.onChange);
  await advance(() => into.requests.length === 2);
  stopInto();
  assert.deepEqual(intoLog.lines, ["change 1"]);
});

test("nothing is called or requested after a stop", async () => {
  const controller = new AbortController();
  for (const end of ["stop", "signal"]) {
    const hanging = new Deployment(page(1), hang);
    const log = new Log();
    const { signal } = controller;
    const stop = hanging.client().subscribe({ sessionId: SESSION }, log.onChange, { ...log.options, signal });
    await advance(() => hanging.requests.length === 2);
    if (end === "stop") stop();
    else controller.abort();
    await pass(60_000);
    assert.deepEqual(log.lines, ["live", "position 1"]);
    assert.equal(hanging.requests.length, 2);
  }
  const deployment = new Deployment(page(1));
  deployment.client().subscribe({ sessionId: SESSION }, () => {}, { signal: controller.signal });
  await pass(60_000);
  assert.equal(deployment.requests.length, 0);
});

test("a handler that stops the subscription gets no further change", async () => {
  const deployment = new Deployment(page(2, [change(1), change(2)]), page(2));
  const log = new Log();
  const stop = deployment.client().subscribe(
    { sessionId: SESSION, after: 0 },
    (change) => {
      log.onChange(change);
      stop();
    },
    log.options,
  );
  await pass(60_000);
  assert.deepEqual(log.lines, ["live", "change 1"]);
  assert.equal(deployment.requests.length, 1);
});

test("an error of a handler stops the subscription and is an uncaught error of the program", async () => {
  const deployment = new Deployment(page(2, [change(1), change(2)]), page(2));
  const log = new Log();
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const uncaught = new Promise((resolve) => process.once("uncaughtException", resolve));
  const error = new Error("of the handler");
  deployment.client().subscribe({ sessionId: SESSION, after: 0 }, () => Promise.reject(error), log.options);
  assert.equal(await uncaught, error);
  for (const listener of listeners) process.on("uncaughtException", listener);
  await pass(60_000);
  assert.deepEqual(log.lines, ["live"]);
  assert.equal(deployment.requests.length, 1);
});

/** A browser's page, and its window's events. */
class Page extends EventTarget {
  hidden = false;
  readonly window = new EventTarget();

  install(): void {
    Object.assign(globalThis, {
      document: this,
      addEventListener: this.window.addEventListener.bind(this.window),
      removeEventListener: this.window.removeEventListener.bind(this.window),
    });
  }

  uninstall(): void {
    for (const name of ["document", "addEventListener", "removeEventListener"])
      Reflect.deleteProperty(globalThis, name);
  }
}

test("a hidden tab asks every 15 seconds, and at once when it is shown or online again", async (context) => {
  const tab = new Page();
  tab.install();
  context.after(() => tab.uninstall());
  const deployment = new Deployment(page(1));
  tab.hidden = true;
  const stop = deployment.client().subscribe({ sessionId: SESSION }, () => {});
  await advance(() => deployment.requests.length === 2);
  assert.deepEqual(deployment.pauses, [15_000]);
  tab.hidden = false;
  tab.dispatchEvent(new Event("visibilitychange"));
  await advance(() => deployment.requests.length === 3);
  assert.equal(deployment.pauses[1], 0);
  await advance(() => deployment.requests.length === 4);
  assert.equal(deployment.pauses[2], 2_000);
  tab.window.dispatchEvent(new Event("online"));
  await advance(() => deployment.requests.length === 5);
  assert.equal(deployment.pauses[3], 0);
  stop();
  tab.dispatchEvent(new Event("visibilitychange"));
  tab.window.dispatchEvent(new Event("online"));
  await pass(60_000);
  assert.equal(deployment.requests.length, 5);
});
