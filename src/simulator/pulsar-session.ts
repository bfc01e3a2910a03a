import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Clock } from '../base/clock.ts';
import { iso } from '../base/quantity.ts';
import type { Random } from '../base/random.ts';
import type { Consumer, PulsarMessage } from './pulsar-topics.ts';

/** Misbehaviour of the service, each with its probability per message (0 to 1); may change at any time. */
export interface SessionFaults {
  /** The frame comes twice. */
  repeat: number;
  /** The frame comes before the one that it follows. */
  reorder: number;
}

interface SessionSettings {
  readonly client: WebSocket;
  /** Below the client, for close codes that its library refuses to send. */
  readonly socket: Duplex;
  /** Of the request; its query holds the consumer's parameters. */
  readonly url: URL;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: SessionFaults;
  readonly idleMs: number;
  acknowledge(id: string): void;
  onClose(): void;
}

interface ConsumerSession extends Consumer {
  cut(code?: number): void;
}

const largestQueue = 1000;

/** Speaks the consumer's side of the protocol; it ends when the client goes or is silent for too long. */
export function serveConsumer(settings: SessionSettings): ConsumerSession {
  const { client, socket, url, clock, idleMs } = settings;
  const isPull = url.searchParams.get('pullMode') === 'true';
  let idle = clock.timer(idleMs, () => client.close(1001, 'Idle Timeout'));
  const hear = (): void => {
    idle[Symbol.dispose]();
    idle = clock.timer(idleMs, () => client.close(1001, 'Idle Timeout'));
  };
  client.on('error', () => undefined);
  client.on('ping', hear);
  client.on('message', (data: Buffer) => {
    hear();
    const id = acknowledgedId(data.toString('utf8'));
    if (id === undefined) closeRaw(socket, 3);
    else settings.acknowledge(id);
  });
  client.on('close', () => {
    idle[Symbol.dispose]();
    settings.onClose();
  });
  return {
    queueSize: isPull ? 0 : Math.min(largestQueue, Number(url.searchParams.get('receiverQueueSize') ?? largestQueue)),
    type: url.searchParams.get('subscriptionType') ?? 'Exclusive',
    send(messages) {
      for (const message of disturb(messages, settings)) client.send(frameOf(message));
    },
    cut(code) {
      if (code === undefined) client.terminate();
      else closeRaw(socket, code);
    },
  };
}

function disturb(messages: readonly PulsarMessage[], { faults, random }: SessionSettings): PulsarMessage[] {
  const out: PulsarMessage[] = [];
  for (const message of messages) {
    const last = out.at(-1);
    if (last !== undefined && faults.reorder > 0 && random.float() < faults.reorder) out.splice(-1, 1, message, last);
    else out.push(message);
    if (faults.repeat > 0 && random.float() < faults.repeat) out.push(message);
  }
  return out;
}

function frameOf({ id, payload, publishTime, redelivered }: PulsarMessage): string {
  return JSON.stringify({
    messageId: id,
    payload,
    properties: {},
    publishTime: iso(publishTime),
    redeliveryCount: redelivered,
  });
}

function acknowledgedId(text: string): string | undefined {
  try {
    const { messageId } = JSON.parse(text) as { messageId?: unknown };
    return typeof messageId === 'string' ? messageId : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

// A close frame by hand: the protocol's codes 1 to 8 lie outside of what RFC 6455 allows.
function closeRaw(socket: Duplex, code: number): void {
  socket.end(Buffer.from([0x88, 0x02, code >> 8, code & 0xff]));
}
