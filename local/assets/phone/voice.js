// Records voice messages as WhatsApp does: Opus in an Ogg file.

import { oggFromWebm } from "./ogg.js";

/** @typedef {{startedAt: number, finish: () => Promise<File>, cancel: () => void}} Recording */

/** Returns whether the browser can record. */
export function canRecord() {
  return typeof MediaRecorder === "function" && navigator.mediaDevices !== undefined;
}

const OGG = "audio/ogg; codecs=opus";
const WEBM = "audio/webm; codecs=opus";

/** Starts to record. Fails if there is no microphone or the user forbids its use. @returns {Promise<Recording>} */
export async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recordsOgg = MediaRecorder.isTypeSupported(OGG);
  const recorder = new MediaRecorder(stream, { mimeType: recordsOgg ? OGG : WEBM });
  /** @type {Blob[]} */
  const parts = [];
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
  const stop = () => {
    if (recorder.state !== "inactive") recorder.stop();
    stream.getTracks().forEach((track) => track.stop());
  };
  recorder.start();
  return {
    startedAt: Date.now(),
    cancel: stop,
    finish: async () => {
      stop();
      await stopped;
      const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
      const ogg = recordsOgg ? bytes : oggFromWebm(bytes);
      return new File([/** @type {BlobPart} */ (ogg)], "voice.ogg", { type: OGG });
    },
  };
}
