import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { PenstockError } from '../../base/errors.ts';
import { isPlain, type Json, JsonText } from '../../base/json.ts';
import type { NewPage, StoredRecord } from '../journal.ts';

// The layout of a page's body, before zstd: one line of JSON with what the journal added to each record, then the records' texts as
// one JSON array with every record on a line of its own. JSON never holds a raw line break inside a value, so the texts can be told
// apart without parsing: a record is parsed when somebody asks for it, and nothing of it is kept. A page in memory is its bytes.

/** A row's share of a page: its body and what is said about it. */
export interface EncodedPage {
  readonly count: number;
  readonly received: number;
  readonly rawBytes: number;
  readonly body: Uint8Array;
  /** The row's records, as a reading would hand them out. */
  readonly records: readonly StoredRecord[];
}

interface Envelopes {
  readonly u: readonly string[];
  /** Receipt: one number when all records share it. */
  readonly r: number | readonly number[];
  readonly x?: readonly (readonly [number, string])[];
  readonly l?: readonly (readonly [number, readonly string[]])[];
  /** 1 when all records are plain JSON, as {@link isPlain} has it. */
  readonly p?: 1;
}

// A page of a huge file is cut into rows of this size, so that reading some of it costs no more than that.
const maxRowRecords = 2000;
const maxRowChars = 4_194_304;
// Below this size a round trip to the thread pool costs more than the compression.
const asyncBytes = 65_536;

// Every chunk of output is a round trip to the thread pool, so that a whole page should fit into one or two.
const zstd = { params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 }, chunkSize: 131_072 };
const smallestChunkBytes = 64;
const largestChunkBytes = 8_388_608;
const compress = promisify<zlib.InputType, zlib.ZstdOptions, Buffer>(zlib.zstdCompress);
const decompress = promisify<zlib.InputType, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress);

/** Encodes the records of a page as the bodies of one row or, for a large page, several. */
export async function encodeRecords(records: readonly StoredRecord[]): Promise<EncodedPage[]> {
  const rows: EncodedPage[] = [];
  let from = 0;
  while (from < records.length) {
    const row = cut(records, from);
    rows.push(await encodeRow(row.records, row.texts));
    from += row.records.length;
  }
  return rows;
}

type Text = string | JsonText;

function cut(records: readonly StoredRecord[], from: number): { records: StoredRecord[]; texts: Text[] } {
  const texts: Text[] = [];
  const taken: StoredRecord[] = [];
  let chars = 0;
  for (let index = from; index < records.length && taken.length < maxRowRecords && chars < maxRowChars; index++) {
    const record = records[index];
    if (record === undefined) break;
    const text = record.json ?? JSON.stringify(record.record ?? null);
    taken.push(record);
    texts.push(text);
    chars += text.length;
  }
  return { records: taken, texts };
}

async function encodeRow(records: readonly StoredRecord[], texts: readonly Text[]): Promise<EncodedPage> {
  const envelopes = envelopesOf(records, texts);
  const raw = writeLines(JSON.stringify(envelopes), texts);
  const body = raw.length < asyncBytes ? zlib.zstdCompressSync(raw, zstd) : await compress(raw, zstd);
  let received = Number.POSITIVE_INFINITY;
  for (const record of records) {
    received = Math.min(received, record.received);
  }
  return { count: records.length, received, rawBytes: raw.length, body, records: recordsOf(envelopes, raw, raw.indexOf(10)) };
}

function envelopesOf(records: readonly StoredRecord[], texts: readonly Text[]): Envelopes {
  const first = records[0]?.received ?? 0;
  const same = records.every((record) => record.received === first);
  const x = records.flatMap((record, index) => (record.unreadable === undefined ? [] : [[index, record.unreadable] as const]));
  const l = records.flatMap((record, index) => (record.labels === undefined ? [] : [[index, record.labels] as const]));
  return {
    u: records.map((record) => record.uid),
    r: same ? first : records.map((record) => record.received),
    ...(x.length > 0 && { x }),
    ...(l.length > 0 && { l }),
    ...(texts.every((text) => (typeof text === 'string' ? isPlain(text) : text.isPlain || isPlain(text.toString()))) && { p: 1 }),
  };
}

// Line by line: one wide character would turn a joined string into its two-byte form and double the cost for all of it.
function writeLines(head: string, texts: readonly Text[]): Buffer {
  let chars = 0;
  let longest = 0;
  for (const text of texts) {
    chars += text.length + 2;
    longest = Math.max(longest, text.length);
  }
  let bytes = Buffer.allocUnsafe((head.length + longest) * 3 + chars + 8);
  let end = bytes.write(head, 0);
  end = put(bytes, end, 10, 91);
  for (const [index, text] of texts.entries()) {
    if (bytes.length - end < text.length * 3 + 4) bytes = grow(bytes, end, text.length * 3 + 4);
    if (index > 0) end = put(bytes, end, 44, 10);
    end = typeof text === 'string' ? end + bytes.write(text, end) : text.copyTo(bytes, end);
  }
  bytes[end] = 93;
  return bytes.subarray(0, end + 1);
}

function put(bytes: Buffer, end: number, first: number, second: number): number {
  bytes[end] = first;
  bytes[end + 1] = second;
  return end + 2;
}

function grow(bytes: Buffer, used: number, need: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafe(Math.max(bytes.length * 1.25, bytes.length + need) | 0);
  bytes.copy(larger, 0, 0, used);
  return larger;
}

/** Decodes a row's body. `rawBytes` bounds what decompression may produce. Throws whatever a damaged body makes it throw. */
export async function decodeRow(body: Uint8Array, rawBytes: number): Promise<StoredRecord[]> {
  const chunkSize = Math.min(largestChunkBytes, Math.max(smallestChunkBytes, rawBytes));
  const options = { maxOutputLength: Math.max(1, rawBytes), chunkSize };
  const raw = rawBytes < asyncBytes ? zlib.zstdDecompressSync(body, options) : await decompress(body, options);
  const end = raw.indexOf(10);
  return recordsOf(JSON.parse(raw.toString('utf8', 0, end)) as Envelopes, raw, end);
}

/** A record that lies in the bytes of its page: parsed each time that somebody reads it. */
class RecordInBytes implements StoredRecord {
  readonly uid: string;
  readonly received: number;
  declare readonly unreadable?: string;
  declare readonly labels?: readonly string[];
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #isPlain: boolean;

  constructor(uid: string, received: number, bytes: Buffer, start: number, end: number, isKnownPlain: boolean) {
    this.uid = uid;
    this.received = received;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#isPlain = isKnownPlain;
  }

  get json(): JsonText {
    return new JsonText(this.#bytes, this.#start, this.#end, this.#isPlain);
  }

  get record(): Json {
    return this.json.parse();
  }
}

/** The records of a page's bytes, whose envelopes end at `end`. */
function recordsOf({ u, r, x, l, p }: Envelopes, raw: Buffer, end: number): StoredRecord[] {
  const records: StoredRecord[] = [];
  let start = end + 2;
  for (const [index, uid] of u.entries()) {
    const lineBreak = raw.indexOf(10, start);
    if ((lineBreak === -1) !== (index === u.length - 1)) throw new SyntaxError(`${u.length} envelopes for other records`);
    // What stands behind a record: a comma and the line break, behind the last one the bracket.
    const stop = lineBreak === -1 ? raw.length - 1 : lineBreak - 1;
    records.push(new RecordInBytes(uid, typeof r === 'number' ? r : (r[index] ?? 0), raw, start, stop, p === 1));
    start = stop + 2;
  }
  for (const [index, unreadable] of x ?? []) extend(records, index, { unreadable });
  for (const [index, labels] of l ?? []) extend(records, index, { labels });
  return records;
}

function extend(records: readonly StoredRecord[], index: number, more: Partial<StoredRecord>): void {
  const record = records[index];
  if (record !== undefined) Object.assign(record, more);
}

/** The columns of a page's row that its checksum covers besides the body. */
export interface PageFacts {
  readonly source: number;
  readonly kind: number;
  readonly first: number;
  readonly count: number;
  readonly connector_name: string;
  readonly connector_hash: string;
  readonly tenant: string | null;
  readonly labels: string;
  readonly raw_bytes: number;
}

/** CRC-32 over a row's facts and body, so that a flipped byte is found wherever it fell. */
export function pageChecksum(facts: PageFacts, body: Uint8Array): number {
  const { source, kind, first, count, connector_name, connector_hash, tenant, labels, raw_bytes } = facts;
  return zlib.crc32(
    body,
    zlib.crc32(JSON.stringify([source, kind, first, count, connector_name, connector_hash, tenant, labels, raw_bytes])),
  );
}

/** CRC-32 of a stored text, so that a flipped byte in a cursor is an error and not another cursor. */
export function textChecksum(text: string): number {
  return zlib.crc32(text);
}

const maxPageRecords = 100_000;

/** Throws PEN_INTERNAL for a page that the contract does not allow. */
export function checkPage(page: NewPage): void {
  if (page.records.length <= maxPageRecords) return;
  throw new PenstockError(
    'PEN_INTERNAL',
    `a page of ${page.records.length} records was handed to the journal; it takes ${maxPageRecords}`,
  );
}
