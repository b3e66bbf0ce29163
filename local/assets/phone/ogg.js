// Moves Opus audio from a WebM file, which Chromium records, to an Ogg file, which WhatsApp uses.

/** The IDs of the WebM elements on the way to the audio (RFC 9559). */
const [SEGMENT, TRACKS, TRACK, CODEC_PRIVATE, CLUSTER, BLOCK_GROUP, BLOCK, SIMPLE_BLOCK] =
  [0x18538067, 0x1654ae6b, 0xae, 0x63a2, 0x1f43b675, 0xa0, 0xa1, 0xa3];
const PARENTS = new Set([SEGMENT, TRACKS, TRACK, CLUSTER, BLOCK_GROUP]);

/** Opus counts samples at this rate, whatever the input's is (RFC 7845). */
const SAMPLES_PER_SECOND = 48_000;
const MAX_SEGMENTS = 255;
const [FIRST_PAGE, LAST_PAGE] = [2, 4];

/** @param {Uint8Array} webm @returns {Uint8Array} */
export function oggFromWebm(webm) {
  const { head, packets } = read(webm);
  const serial = Math.floor(Math.random() * 2 ** 32);
  const tags = new TextEncoder().encode("OpusTags\x05\0\0\0Qasid\0\0\0\0");
  const pages = [page([head], 0, FIRST_PAGE, serial, 0), page([tags], 0, 0, serial, 1)];
  let samples = 0;
  /** @type {Uint8Array[]} */
  let pending = [];
  let segments = 0;
  packets.forEach((packet, index) => {
    samples += samplesOf(packet);
    pending.push(packet);
    segments += Math.floor(packet.length / 255) + 1;
    const isLast = index === packets.length - 1;
    const next = packets[index + 1];
    if (isLast || segments + Math.floor((next?.length ?? 0) / 255) + 1 > MAX_SEGMENTS) {
      pages.push(page(pending, samples, isLast ? LAST_PAGE : 0, serial, pages.length));
      [pending, segments] = [[], 0];
    }
  });
  return joined(pages);
}

/** Returns the identification header and the Opus packets of a WebM file.
 * @param {Uint8Array} webm @returns {{head: Uint8Array, packets: Uint8Array[]}} */
function read(webm) {
  /** @type {Uint8Array | null} */
  let head = null;
  /** @type {Uint8Array[]} */
  const packets = [];
  let at = 0;
  /** Reads a number whose first byte tells its length. `keepsMarker` is for IDs. @param {boolean} keepsMarker */
  const number = (keepsMarker) => {
    const first = webm[at] ?? 0;
    const length = Math.clz32(first) - 23;
    let value = keepsMarker ? first : first & (0xff >> length);
    let isUnknown = !keepsMarker && value === 0xff >> length;
    for (let index = 1; index < length; index += 1) {
      const byte = webm[at + index] ?? 0;
      value = value * 256 + byte;
      isUnknown &&= byte === 0xff;
    }
    at += length;
    // The length of a live recording is unknown: it lasts until the end of the file.
    return isUnknown ? webm.length - at : value;
  };
  while (at < webm.length) {
    if (webm[at] === 0) break;
    const id = number(true);
    const size = number(false);
    if (PARENTS.has(id)) continue;
    const content = webm.subarray(at, at + size);
    // A block starts with the number of its track in one byte, two bytes of time, and one of flags.
    if (id === SIMPLE_BLOCK || id === BLOCK) packets.push(content.subarray(4));
    if (id === CODEC_PRIVATE) head = content;
    at += size;
  }
  if (!head || packets.length === 0) throw new Error("the recording has no Opus audio");
  return { head, packets };
}

/** Returns the number of samples in an Opus packet (RFC 6716, section 3.1). @param {Uint8Array} packet */
function samplesOf(packet) {
  const [toc = 0, second = 0] = packet;
  const configuration = toc >> 3;
  const milliseconds =
    configuration < 12 ? [10, 20, 40, 60][configuration % 4]
    : configuration < 16 ? [10, 20][configuration % 2]
    : [2.5, 5, 10, 20][configuration % 4];
  const code = toc & 3;
  const frames = code === 0 ? 1 : code === 3 ? second & 63 : 2;
  return ((milliseconds ?? 20) * frames * SAMPLES_PER_SECOND) / 1000;
}

/** Returns a page of an Ogg file with complete packets (RFC 3533).
 * @param {Uint8Array[]} packets @param {number} samples @param {number} flags @param {number} serial @param {number} sequence */
function page(packets, samples, flags, serial, sequence) {
  const lacing = packets.flatMap((packet) => [...new Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255]);
  const header = new Uint8Array(27 + lacing.length);
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode("OggS"));
  header[5] = flags;
  view.setBigUint64(6, BigInt(Math.round(samples)), true);
  view.setUint32(14, serial, true);
  view.setUint32(18, sequence, true);
  header[26] = lacing.length;
  header.set(lacing, 27);
  const bytes = joined([header, ...packets]);
  new DataView(bytes.buffer).setUint32(22, checksum(bytes), true);
  return bytes;
}

/** Ogg's cyclic redundancy check. @param {Uint8Array} bytes */
function checksum(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
