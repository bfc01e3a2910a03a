import { TooManyValues } from '../../base/foreign.ts';
import { isObject } from '../../base/json.ts';
import { boundDepth, parseTime } from '../../event/index.ts';
import { type ParsedJson, parseText } from '../../http/index.ts';
import type { RawRecord, StreamMessage } from '../connector.ts';

// The broker allows 5 MB per message by default; base64 and the envelope make a third more of it, and private brokers allow more.
const largestFrame = 16 * 1024 * 1024;
const shownOfLarger = 64 * 1024;
// The id stands at the start or, with other writers, after the payload.
const idWithin = 4096;

/**
 * Reads the bytes of one frame. One that is larger than 16 MiB comes as its beginning, marked unreadable, so that it can be acknowledged:
 * left alone it would stop the topic, and with it, once the backlog is full, the vendor's export.
 */
export function readFrameBytes(topic: string, bytes: Buffer): StreamMessage | undefined {
  if (bytes.length <= largestFrame) return readFrame(topic, bytes.toString('utf8'));
  const ends = `${bytes.toString('latin1', 0, idWithin)}\n${bytes.toString('latin1', bytes.length - idWithin)}`;
  const messageId = /"messageId"\s*:\s*"([A-Za-z0-9+/=_:-]+)"/.exec(ends)?.[1] ?? '';
  const unreadable = `the frame has ${bytes.length} bytes, more than the ${largestFrame} allowed; this is its beginning`;
  const record = { value: bytes.toString('utf8', 0, shownOfLarger), unreadable };
  const records = [messageId === '' ? record : { ...record, id: messageId }];
  return { topic, messageId, publishTime: undefined, redelivered: false, records };
}

/**
 * Reads one frame of a consumer. Whatever it holds becomes records: what cannot be read comes as its text, marked unreadable. A frame
 * without a message id has an empty one and cannot be acknowledged; an answer that is no message gives undefined.
 */
export function readFrame(topic: string, text: string): StreamMessage | undefined {
  const frame = parsedText(text)?.value;
  if (!isObject(frame) || typeof frame['messageId'] !== 'string') {
    if (isObject(frame) && 'endOfTopic' in frame) return undefined;
    return {
      topic,
      messageId: '',
      publishTime: undefined,
      redelivered: false,
      records: [{ value: text, unreadable: 'the frame is not a message' }],
    };
  }
  const { messageId, payload, publishTime, redeliveryCount } = frame;
  return {
    topic,
    messageId,
    publishTime: parseTime(publishTime)?.ms,
    redelivered: typeof redeliveryCount === 'number' && redeliveryCount > 0,
    records: readPayload(payload).map((record, index) => ({
      ...record,
      id: index === 0 ? messageId : `${messageId}#${index + 1}`,
    })),
  };
}

function parsedText(text: string): ParsedJson | undefined {
  try {
    return parseText(text);
  } catch (error) {
    if (error instanceof TooManyValues) return undefined;
    throw error;
  }
}

function readPayload(payload: unknown): RawRecord[] {
  if (typeof payload !== 'string') return [{ value: asText(payload ?? null), unreadable: 'the message has no payload' }];
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(payload) || payload.length % 4 !== 0)
    return [{ value: payload, unreadable: 'the payload is not base64' }];
  const text = decodeText(Buffer.from(payload, 'base64'));
  if (text === undefined) return [{ value: payload, unreadable: 'the payload is not text in UTF-8' }];
  const { value, marked } = parsedText(text) ?? {};
  const labels = marked === undefined ? {} : { labels: ['mended'] };
  if (isObject(value)) return [{ value, ...labels }];
  // An array carries several records; one without elements carries none.
  if (Array.isArray(value))
    return value.map((item: unknown) =>
      isObject(item) ? { value: item, ...labels } : { value: asText(item), unreadable: 'the record is not a JSON object' },
    );
  return [{ value: text, unreadable: value === undefined ? 'the payload is not JSON' : 'the record is not a JSON object' }];
}

// Without a bound one item nested thousands deep would overflow the stack, and the message would come back for ever.
function asText(value: unknown): string {
  return JSON.stringify(boundDepth(value));
}

// Without `stream` a call leaves nothing for the next.
const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeText(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
