import { isObject, parseJson } from '../../base/json.ts';
import { parseTime } from '../../event/index.ts';
import type { RawRecord, StreamMessage } from '../connector.ts';

/**
 * Reads one frame of a consumer. Whatever it holds becomes records: what cannot be read comes as its text, marked unreadable. A frame
 * without a message id has an empty one and cannot be acknowledged; an answer that is no message gives undefined.
 */
export function readFrame(topic: string, text: string): StreamMessage | undefined {
  const frame = tryJson(text);
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

function tryJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readPayload(payload: unknown): RawRecord[] {
  if (typeof payload !== 'string') return [{ value: JSON.stringify(payload ?? null), unreadable: 'the message has no payload' }];
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(payload) || payload.length % 4 !== 0)
    return [{ value: payload, unreadable: 'the payload is not base64' }];
  const text = decodeText(Buffer.from(payload, 'base64'));
  if (text === undefined) return [{ value: payload, unreadable: 'the payload is not text in UTF-8' }];
  const value = tryJson(text);
  if (isObject(value)) return [{ value }];
  // An array carries several records; one without elements carries none.
  if (Array.isArray(value))
    return value.map((item: unknown) =>
      isObject(item) ? { value: item } : { value: JSON.stringify(item), unreadable: 'the record is not a JSON object' },
    );
  return [{ value: text, unreadable: value === undefined ? 'the payload is not JSON' : 'the record is not a JSON object' }];
}

function decodeText(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
