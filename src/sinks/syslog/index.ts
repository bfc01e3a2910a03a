import { PenstockError } from '../../base/errors.ts';
import { sizeBytes } from '../../base/quantity.ts';
import type { Format } from '../../event/event.ts';
import { isJsonFormat } from '../../event/index.ts';
import { loadTls } from '../../http/index.ts';
import type { Sink, SinkContext, SinkType } from '../sink.ts';
import { warnOnce } from '../warn-once.ts';
import { compileMessage, rfc3164MaxBytes, sequenceRoom } from './message.ts';
import { exampleEnterpriseNumber, parseAddress, SyslogOptions } from './options.ts';
import { openRelpSink } from './relp.ts';
import { openStreamSink } from './stream.ts';
import type { Transport } from './transport.ts';
import { openUdpSink, udpMaxBytes } from './udp.ts';

const addressFix = 'write tls://siem.example.com:6514 (udp, tcp, tls, relp, relps)';

// What RFC 5425 asks of every receiver and rsyslog takes by default. What is longer many cut, and acknowledge all the same.
const streamMaxBytes = 8192;

/** `type: syslog`: RFC 5424 or 3164 over UDP, TCP, TLS, RELP, and RELP over TLS. */
export const syslog: SinkType = {
  name: 'syslog',
  options: SyslogOptions,
  defaultFormat: 'ocsf',
  acknowledges: 'RELP: the receiver answered 200. UDP, TCP and TLS know no acknowledgement: counted as unconfirmed',
  // The options were validated against the schema above when the configuration was read.
  open: (options, context) => openSyslog(options as unknown as SyslogOptions, context),
  check: (options) => check(options as unknown as SyslogOptions),
  urls: (options) => [(options as unknown as SyslogOptions).address],
};

async function openSyslog(options: SyslogOptions, context: SinkContext): Promise<Sink> {
  const address = parseAddress(options.address);
  if (address === undefined)
    throw new PenstockError('PEN_CONFIG_INVALID', `"${options.address}" is not an address`, { fix: addressFix });
  if (options.rfc === 5424 && options.enterprise_number === exampleEnterpriseNumber) {
    warnOnce(
      context.log,
      { enterprise_number: exampleEnterpriseNumber },
      "structured data carries the example enterprise number; set enterprise_number to your organisation's if receivers are shared",
    );
  }
  const isTls = address.scheme === 'tls' || address.scheme === 'relps';
  const room = maxMessageBytes(options, address.scheme) - (options.rfc === 5424 ? sequenceRoom : 0);
  const speaker = {
    hostname: options.hostname ?? context.hostname,
    procid: String(process.pid),
    tagsUid: losesUid(options, context.format),
  };
  const transport: Transport = {
    address,
    options,
    context,
    trust: isTls ? await loadTls(options.tls ?? {}, context.seams.files) : undefined,
    encoder: compileMessage(options, speaker, room, context.log),
    maxBytes: room,
  };
  if (address.scheme === 'udp') return openUdpSink(transport);
  return address.scheme === 'relp' || address.scheme === 'relps' ? openRelpSink(transport) : openStreamSink(transport);
}

/** True where neither header nor text are sure to carry the id of the event: a vendor's record, or JSON that may be cut. */
function losesUid({ rfc, oversize }: SyslogOptions, format: Format = 'ocsf'): boolean {
  return rfc === 3164 && (format === 'raw' || (oversize === 'truncate' && isJsonFormat(format)));
}

function maxMessageBytes(options: SyslogOptions, scheme: string): number {
  if (options.max_message !== undefined) return sizeBytes(options.max_message);
  if (options.rfc === 3164) return rfc3164MaxBytes;
  return scheme === 'udp' ? udpMaxBytes : streamMaxBytes;
}

function check(options: SyslogOptions): (readonly [string, string, string])[] {
  const faults: (readonly [string, string, string])[] = [];
  const address = parseAddress(options.address);
  if (address === undefined) {
    return [['address', `"${options.address}" is not an address`, addressFix]];
  }
  const isFramed = address.scheme === 'tcp' || address.scheme === 'tls';
  if (options.framing !== undefined && !isFramed) {
    faults.push(['framing', `${address.scheme} has its own framing`, 'remove framing']);
  }
  const { cert_file, key_file } = options.tls ?? {};
  if ((cert_file === undefined) !== (key_file === undefined))
    faults.push(['tls', 'cert_file and key_file belong together', 'set both or none']);
  const max = maxMessageBytes(options, address.scheme);
  if (max < 480) faults.push(['max_message', `${max} bytes is below the 480 that every receiver takes`, 'set at least 480B']);
  if (address.scheme === 'udp' && max > 65_507)
    faults.push(['max_message', 'a datagram holds at most 65507 bytes', 'set at most 65507B, or use tls or relp']);
  return faults;
}
