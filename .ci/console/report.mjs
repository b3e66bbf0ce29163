// The settings of a run, and the reports of its results.

export const settings = JSON.parse(process.argv[2]);

function report(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Reports a figure that isn't checked. */
export function measured(text) {
  report({ measured: text });
}

/** Called with the name of a check that failed. */
let onFailure = async () => {};

/** Sets the function that is called with the name of a check that failed. */
export function setOnFailure(callback) {
  onFailure = callback;
}

/** Runs a check, which throws if it fails, and reports its result. */
export async function check(name, action) {
  try {
    await action();
    report({ check: name, error: null });
  } catch (error) {
    report({ check: name, error: describe(error) });
    await onFailure(name);
  }
}

/** Returns the message of an error without colors, and of a Playwright error what it waited for. */
function describe(error) {
  const message = String(error?.message ?? error).replaceAll(/\u001b\[\d+m/g, "");
  const lines = message.split("\n").map((line) => line.trim());
  return lines.filter(Boolean).slice(0, 20).join(" | ");
}
