// What the programs of the Node clients share: settings, customers, reports, and the receiver of webhooks.

import { createServer } from "node:http";

export const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
export const LINK = "https://example.com/file";
export const SDP = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

export const settings = JSON.parse(process.argv[2]);
const called = new Set();
let customers = 0;

export function report(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Makes a call and reports whether `check` accepts its result. `name` starts with the name of the method. */
export async function call(name, make, check = Boolean) {
  called.add(name.split(" ")[0]);
  try {
    const result = await make();
    report({ call: name, error: (await check(result)) ? null : `unexpected result: ${JSON.stringify(result)}` });
    return result;
  } catch (problem) {
    report({ call: name, error: String(problem) });
    return undefined;
  }
}

/** Reports the client's methods that no call used, so that a new version of the client gets its calls. */
export function reportUncalled(methods) {
  report({ uncalled: methods.filter((method) => !called.has(method)).sort() });
}

/** Calls the simulator's control API. */
async function control(path, body) {
  const options = body && { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${settings.simulator}/simulator/${path}`, options);
  if (!response.ok) throw new Error(`/simulator/${path}: ${await response.text()}`);
  return response.json();
}

/** Lets a new customer write to the business. Returns the number and the message's ID. */
export async function customer() {
  customers += 1;
  const to = `${settings.customers}${String(customers).padStart(4, "0")}`;
  const { ids } = await control("messages", { from: to, name: "Mona", text: "Hello" });
  return { to, wamid: ids[0] };
}

/** Returns the code that WhatsApp sent to a business number. */
export async function verificationCode(phoneNumberId) {
  const { numbers } = await control("numbers");
  return numbers.find((number) => number.phoneNumberId === phoneNumberId).verificationCode;
}

/** Lets a new customer call the business. Returns the call's ID. */
export async function incomingCall() {
  const { to } = await customer();
  const { ids } = await control("calls", { from: to });
  return ids[0];
}

/** Serves webhooks with `post` and `get` until the standard input ends. Both return a body and a status. */
export async function receive(post, get) {
  const server = createServer(async (request, response) => {
    const [body, status] = request.method === "POST" ? await post(request) : await get(request);
    response.writeHead(status).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  process.stdin.on("end", () => process.exit()).resume();
  report({ receiver: `http://127.0.0.1:${server.address().port}/` });
}
