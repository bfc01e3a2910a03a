import { type Static, Type } from 'typebox';
import { sizePattern } from '../../base/quantity.ts';
import { TlsOptions } from '../common-options.ts';

/** Enterprise number that IANA reserves for documentation (RFC 5612); good for a start, not for sharing data between organisations. */
export const exampleEnterpriseNumber = 32_473;

/** Options of `type: syslog`. */
export const SyslogOptions = Type.Object(
  {
    address: Type.String({
      pattern: '^(udp|tcp|tls|relp|relps)://[^/?#@]+$',
      description:
        'udp://, tcp://, tls://, relp:// or relps:// with host and port. Ports by default: 514, 514, 6514, 2514, 2514.',
    }),
    framing: Type.Optional(
      Type.Enum(['octet_counting', 'lf'], {
        description: 'How messages are separated on tcp and tls. Unset: octet_counting on tls, lf on tcp.',
      }),
    ),
    rfc: Type.Enum([5424, 3164], { default: 5424, description: 'Header: 5424, or 3164 for receivers that know nothing newer.' }),
    facility: Type.Integer({
      minimum: 0,
      maximum: 23,
      default: 13,
      description: '13 is log audit, 4 auth, 10 authpriv, 16 to 23 local0 to local7.',
    }),
    hostname: Type.Optional(Type.String({ minLength: 1, description: "HOSTNAME of every message. Unset: this machine's name." })),
    app_name: Type.String({ minLength: 1, default: 'penstock', description: 'APP-NAME, in rfc 3164 the TAG.' }),
    enterprise_number: Type.Integer({
      minimum: 1,
      maximum: 4_294_967_295,
      default: exampleEnterpriseNumber,
      description: "Your organisation's IANA enterprise number, for the structured data element penstock@NUMBER.",
    }),
    bom: Type.Boolean({
      default: false,
      description: 'Begin MSG with the byte order mark that RFC 5424 asks for; many parsers fail on it.',
    }),
    max_message: Type.Optional(
      Type.String({
        pattern: sizePattern,
        description:
          'Largest message. Unset: 1180B on udp, 1024B with rfc 3164, 8KiB elsewhere, as rsyslog takes it. Raise it with the limit of the receiver: many cut what is longer, and acknowledge it.',
      }),
    ),
    oversize: Type.Enum(['refuse', 'truncate'], {
      default: 'refuse',
      description: 'A larger message becomes a dead letter (refuse), or loses the end of its text (truncate).',
    }),
    resend_window: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 1000,
      description: 'tcp and tls: how many of the last messages are sent again when a connection breaks.',
    }),
    rate: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 500,
      description:
        'udp: most datagrams a second. More come in faster than many receivers read them, and are lost without a word.',
    }),
    tls: Type.Optional(TlsOptions),
  },
  { additionalProperties: false },
);
export type SyslogOptions = Static<typeof SyslogOptions>;

type SyslogScheme = 'udp' | 'tcp' | 'tls' | 'relp' | 'relps';

/** Where a syslog sink sends to. */
export interface SyslogAddress {
  readonly scheme: SyslogScheme;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

const defaultPorts: Readonly<Record<SyslogScheme, number>> = { udp: 514, tcp: 514, tls: 6514, relp: 2514, relps: 2514 };

/** Reads an address that the schema's pattern has let through; undefined when host or port is not one. */
export function parseAddress(address: string): SyslogAddress | undefined {
  const match = /^(udp|tcp|tls|relp|relps):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^/?#@:[\]]+))(?::(\d{1,5}))?$/.exec(address);
  if (match === null) return undefined;
  const scheme = match[1] as SyslogScheme;
  const port = match[4] === undefined ? defaultPorts[scheme] : Number(match[4]);
  return port < 1 || port > 65_535 ? undefined : { scheme, host: match[2] ?? match[3] ?? '', port };
}
