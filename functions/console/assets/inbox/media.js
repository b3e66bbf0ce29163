// The file of a message: an image, a player, a download, or why there is none.

import { useEffect, useRef, useState } from "preact/hooks";
import { html, Icon } from "../components.js";
import { isolate, number } from "../i18n.js";
import { t } from "../strings/inbox.js";

/** @typedef {import("../components.js").IconName} IconName */
/** @typedef {import("../types").Media} StoredMedia */
/** @typedef {import("./store.js").ShownMessage} ShownMessage */

/** Returns the file of a message as the API has it now, with a new URL. @typedef {(message: ShownMessage) => Promise<StoredMedia | null>} ReadFile */

/** The icons and names of media. @type {Record<string, {icon: IconName, text: Parameters<typeof t>[0]}>} */
export const MEDIA = {
  image: { icon: "image", text: "image" },
  video: { icon: "play", text: "video" },
  audio: { icon: "play", text: "audio" },
  document: { icon: "file", text: "document" },
  sticker: { icon: "emoji", text: "sticker" },
};

/** What the bubble says about a file that isn't stored. @type {Record<string, Parameters<typeof t>[0]>} */
const STATES = { pending: "filePending", too_large: "fileTooLarge", gone: "fileGone", failed: "fileFailed" };

/** A URL isn't used for a new request in its last minute: clocks differ, and the request takes time. */
const MARGIN = 60_000;
/** How far from the view a player starts to load. */
const NEAR = "400px";

/** Returns the short name of a media type: `PDF`, `JPEG`. @param {string | null | undefined} mime @param {string | null | undefined} name */
export function format(mime, name) {
  const extension = /\.([a-z0-9]{1,5})$/i.exec(name ?? "")?.[1];
  return (extension ?? /^[^/]+\/(?:x-|vnd\.)?([a-z0-9]{1,8})(?:;|$)/i.exec(mime ?? "")?.[1] ?? mime ?? "").toUpperCase();
}

/** Returns a size such as `1.2 MB`. @param {unknown} bytes */
export function size(bytes) {
  if (typeof bytes !== "number") return "";
  const [value, unit] = bytes < 1_000 ? [bytes, "byte"] : bytes < 1_000_000 ? [bytes / 1_000, "kilobyte"] : [bytes / 1_000_000, "megabyte"];
  return number(value, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** Returns a line of short texts, each with its own direction. @param {string[]} texts */
const joined = (...texts) => texts.filter(Boolean).map(isolate).join(" · ");

/** @param {unknown} url */
export const isHttp = (url) => typeof url === "string" && /^https?:\/\//i.test(url);

/** Returns whether a file's URL can still be requested. @param {StoredMedia} file */
const isFresh = ({ url, url_expires_at: until }) => Boolean(url) && (until === null || new Date(until).getTime() - Date.now() > MARGIN);

/** Returns what shows a file. The type of the content decides: browsers don't show everything that is sent as an image.
 * @param {string} type @param {StoredMedia} file */
function shownAs(type, { mime_type: mime }) {
  const kind = mime?.split("/")[0] ?? "";
  if (type === "image" || type === "sticker") return kind === "image" ? type : "document";
  // A container of video can have sound only.
  if (type === "video" || type === "audio") return kind === "video" || kind === "audio" ? type : "document";
  return "document";
}

/** Opens a message's file in a new tab. The bucket says whether the browser shows it or downloads it.
 * @param {ShownMessage} message @param {ReadFile} read */
export async function openFile(message, read) {
  const file = message.media && isFresh(message.media) ? message.media : await read(message);
  if (!file?.url) return;
  const link = document.createElement("a");
  Object.assign(link, { href: file.url, target: "_blank", rel: "noopener noreferrer" });
  link.click();
}

/**
 * The file of a message, or of the header of one (`message` is absent then).
 *
 * @param {{type: string, media: any, message?: ShownMessage, read?: ReadFile}} props `media` is the object in the message's
 *   content
 */
export function Media({ type, media, message, read }) {
  const file = message?.media;
  if (message && read && file?.state === "stored") return html`<${File} key=${file.id} type=${type} media=${media} message=${message} file=${file} read=${read} />`;
  const state = file ? STATES[file.state] : undefined;
  return html`<${Placeholder} type=${type} media=${media} note=${state && t(state)} isBusy=${file?.state === "pending"} />`;
}

/** What is known about a file without its content. @param {{type: string, media: any, note?: string, isBusy?: boolean}} props */
function Placeholder({ type, media, note, isBusy = false }) {
  const { icon, text } = MEDIA[type] ?? MEDIA.document;
  const label = type === "audio" && media.voice ? t("voice") : t(text);
  const facts = joined(media.filename ? label : "", format(media.mime_type, media.filename), size(media.file_size));
  const isTall = type === "image" || type === "video" || type === "sticker";
  return html`<div class=${isTall ? "bubble-media tall" : "bubble-media"}>
    <span class="media-icon">${isBusy ? html`<span class="spinner" aria-hidden="true"></span>` : html`<${Icon} name=${icon} />`}</span>
    <span class="media-text">
      <bdi class="media-name">${media.filename ?? label}</bdi>
      ${facts && html`<span class="small">${facts}</span>`}
      ${note && html`<span class="small">${note}</span>`}
      ${isHttp(media.link) && html`<a class="small" href=${media.link} target="_blank" rel="noopener noreferrer">${t("openMedia")}</a>`}
    </span>
  </div>`;
}

/** @typedef {{type: string, media: any, message: ShownMessage, file: StoredMedia, read: ReadFile}} FileProps */

/** A stored file. @param {FileProps} props */
function File({ type, media, message, file, read }) {
  const { url, isBroken, onError, retry } = useUrl(message, file, read);
  const label = type === "audio" && media.voice ? t("voice") : t((MEDIA[type] ?? MEDIA.document).text);
  const open = (/** @type {Event} */ event) => {
    if (isFresh(file)) return;
    event.preventDefault();
    openFile(message, read).catch(onError);
  };
  if (isBroken) {
    return html`<${Download} ...${{ media, file, label, open }} />
      <p class="small muted">${t("fileBroken")} <button type="button" class="text-button" onClick=${retry}>${t("tryAgain")}</button></p>`;
  }
  switch (shownAs(type, file)) {
    case "image":
    case "sticker":
      return html`<a class=${type === "sticker" ? "media-frame sticker" : "media-frame"} href=${file.url} target="_blank" rel="noopener noreferrer"
        title=${t("openImage")} onClick=${open}>
        <img src=${url} alt=${message.from_me ? t("altSent", { type: label }) : t("altReceived", { type: label })} loading="lazy" decoding="async" onError=${onError} />
      </a>`;
    case "video":
      return html`<${Player} kind="video" label=${label} url=${url} onError=${onError} />`;
    case "audio":
      return html`<${Player} kind="audio" label=${label} url=${url} onError=${onError} />`;
    default:
      return html`<${Download} ...${{ media, file, label, open }} />`;
  }
}

/**
 * Returns the URL to load a file from. It stays the same while it works, although every response has another one: a player would
 * begin again. If it fails, the message is read once more for a new one.
 *
 * @param {ShownMessage} message @param {StoredMedia} file @param {ReadFile} read
 */
function useUrl(message, file, read) {
  const [shown, setShown] = useState({ url: file.url, until: file.url_expires_at, isRenewed: false, isBroken: !file.url });
  const isMounted = useRef(true);
  useEffect(() => () => {
    isMounted.current = false;
  }, []);
  const renew = async () => {
    // A message that is being sent shows the file of this computer.
    const renewed = message.sending ? null : await read(message).catch(() => null);
    if (!isMounted.current) return;
    const url = renewed?.url ?? null;
    setShown(url ? { url, until: renewed?.url_expires_at ?? null, isRenewed: true, isBroken: false } : { ...shown, isBroken: true });
  };
  const onError = () => {
    const isExpired = shown.until !== null && Date.now() > new Date(shown.until).getTime();
    if (shown.isRenewed && !isExpired) setShown({ ...shown, isBroken: true });
    else void renew();
  };
  return { url: shown.url, isBroken: shown.isBroken, onError, retry: () => void renew() };
}

/** The name of a file, which opens or downloads it.
 * @param {{media: any, file: StoredMedia, label: string, open: (event: Event) => void}} props */
function Download({ media, file, label, open }) {
  const name = media.filename ?? file.file_name ?? label;
  const facts = joined(format(file.mime_type, name), size(file.size));
  return html`<a class="bubble-media file" href=${file.url ?? "#"} download=${name} target="_blank" rel="noopener noreferrer" onClick=${open}>
    <span class="media-icon"><${Icon} name="file" /></span>
    <span class="media-text">
      <bdi class="media-name">${name}</bdi>
      <span class="small">${facts}</span>
    </span>
    <${Icon} name="download" /><span class="visually-hidden">${t("download")}</span>
  </a>`;
}

/** Plays a file. Loads nothing before it is near the view, and continues where a URL expired.
 * @param {{kind: "audio" | "video", label: string, url: string | null, onError: () => void}} props */
function Player({ kind, label, url, onError }) {
  const element = useRef(/** @type {HTMLMediaElement | null} */ (null));
  const [isNear, setNear] = useState(false);
  const stopped = useRef({ at: 0, isPlaying: false });
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      setNear(true);
      observer.disconnect();
    }, { rootMargin: NEAR });
    observer.observe(/** @type {HTMLMediaElement} */ (element.current));
    return () => observer.disconnect();
  }, []);
  const attributes = {
    ref: element,
    src: isNear ? url : undefined,
    controls: true,
    preload: "metadata",
    "aria-label": label,
    onError: () => {
      const { currentTime, paused } = /** @type {HTMLMediaElement} */ (element.current);
      stopped.current = { at: currentTime, isPlaying: !paused };
      onError();
    },
    onLoadedMetadata: () => {
      const player = /** @type {HTMLMediaElement} */ (element.current);
      const { at, isPlaying } = stopped.current;
      stopped.current = { at: 0, isPlaying: false };
      if (at > 0) player.currentTime = at;
      // The browser can refuse to play without a click.
      if (isPlaying) player.play().catch(() => {});
    },
  };
  return kind === "video" ? html`<video class="media-frame" playsinline ...${attributes}></video>` : html`<audio class="media-audio" ...${attributes}></audio>`;
}
