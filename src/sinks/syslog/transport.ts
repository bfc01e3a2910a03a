import type { LoadedTls } from '../../http/index.ts';
import type { ReceiverLimit, Sink, SinkContext, Verdict } from '../sink.ts';
import type { MessageEncoder } from './message.ts';
import type { SyslogAddress, SyslogOptions } from './options.ts';

/** A connection is closed cleanly and reopened after this time, so that receivers behind a balancer share the load. */
export const recycleMs = 3_600_000;

/** What the transports of syslog have in common. */
export interface Transport {
  readonly address: SyslogAddress;
  readonly options: SyslogOptions;
  readonly context: SinkContext;
  readonly trust: LoadedTls | undefined;
  readonly encoder: MessageEncoder;
  /** Room for one encoded message, in octets. */
  readonly maxBytes: number;
}

/** What receivers keep of a message unless they were told otherwise. */
const receiverLimits: readonly (ReceiverLimit & { readonly schemes: readonly string[] })[] = [
  {
    bytes: 4096,
    says: 'QRadar cuts a message (maximum TCP payload)',
    fix: 'raise "Max TCP Syslog Payload Length" there',
    schemes: ['tcp', 'tls'],
  },
  {
    bytes: 8192,
    says: 'rsyslog cuts a message (maxMessageSize = 8k) and takes it all the same',
    fix: 'set global(maxMessageSize="64k") there, and maxDataSize of imrelp',
    schemes: ['udp', 'tcp', 'tls', 'relp', 'relps'],
  },
  {
    bytes: 65_536,
    says: 'syslog-ng cuts a message (log-msg-size) and takes it all the same',
    fix: 'raise log-msg-size() there',
    schemes: ['udp', 'tcp', 'tls'],
  },
];

type Shared = Pick<Sink, 'endpoints' | 'maxInFlight' | 'isStream' | 'maxEventBytes' | 'receiverLimits' | 'encode' | 'counters'>;

/** The part of a sink that is the same for every transport: one stream of messages to one address. */
export function sharedOf({ address, options, encoder, maxBytes }: Transport): Shared {
  return {
    endpoints: [options.address],
    maxInFlight: 1,
    isStream: true,
    maxEventBytes: maxBytes,
    receiverLimits: receiverLimits.filter(({ schemes }) => schemes.includes(address.scheme)),
    encode: (event) => encoder.encode(event),
    counters: () => ({ truncated: encoder.truncated }),
  };
}

/** True for a message longer than its room. */
export function isTooLarge(message: string, maxBytes: number): boolean {
  // A UTF-16 unit is at most three octets: most messages need no counting.
  return message.length * 3 > maxBytes && Buffer.byteLength(message) > maxBytes;
}

/** The verdict on a message that may be neither cut nor sent. */
export function tooLarge(message: string, maxBytes: number): Verdict {
  return {
    kind: 'event',
    code: 'too_large',
    reason: `the message has ${Buffer.byteLength(message)} bytes, the sink allows ${maxBytes}: raise max_message, or set oversize: truncate`,
  };
}
