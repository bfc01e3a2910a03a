import { type Static, Type } from 'typebox';
import { durationPattern, sizePattern } from '../base/quantity.ts';
import { formats } from '../event/event.ts';
import { droppable } from '../event/index.ts';

export const text = (description: string): ReturnType<typeof Type.String> => Type.String({ minLength: 1, description });
/** One that is shown nowhere. */
export const secret = (description: string): ReturnType<typeof Type.String> =>
  Type.String({ minLength: 1, secret: true, description });

export { normaliseActions } from '../event/action-key.ts';

/** Schema of a duration such as `30s`. */
function duration(description: string, fallback?: string): ReturnType<typeof Type.String> {
  return Type.String({ pattern: durationPattern, description, ...(fallback === undefined ? {} : { default: fallback }) });
}

/** `tls:` wherever it stands: at the top, on a source, on a sink. Files are read again when a connection is refused. */
export const TlsOptions = Type.Object(
  {
    ca_file: Type.Optional(
      Type.String({
        minLength: 1,
        format: 'path',
        description: 'PEM file of certificate authorities to trust besides the public ones.',
      }),
    ),
    cert_file: Type.Optional(
      Type.String({ minLength: 1, format: 'path', description: 'PEM file of the client certificate; needs key_file.' }),
    ),
    key_file: Type.Optional(
      Type.String({ minLength: 1, format: 'path', description: "PEM file of the client certificate's key." }),
    ),
    server_name: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Name expected in the server's certificate, when it is not the host that is connected to.",
      }),
    ),
    pin_sha256: Type.Optional(
      Type.String({
        pattern: '^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$',
        description: "SHA-256 of the server's certificate (DER), hex with or without colons.",
      }),
    ),
    insecure_skip_verify: Type.Optional(
      Type.Boolean({ description: 'Accept any certificate. For experiments only; a warning stays.' }),
    ),
  },
  { additionalProperties: false, description: 'Certificates for connections.' },
);
export type TlsOptions = Static<typeof TlsOptions>;

/** `proxy:` wherever it stands. */
export const ProxyOption = Type.String({
  pattern: '^https?://[^/?#]+/?$',
  secret: true,
  description:
    'Proxy for outgoing requests, `http://proxy.example.com:3128` or `http://USER:PASSWORD@proxy.example.com:3128`, with `/ # ? @` in these as `%2F %23 %3F %40`. Unset: HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment decide.',
});

/** `labels:` of a source or sink. */
export const LabelsOption = Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
  maxItems: 32,
  uniqueItems: true,
  description: 'Put into metadata.labels of every event.',
});

const Batch = Type.Object(
  {
    events: Type.Integer({ minimum: 1, maximum: 100_000, default: 500, description: 'Maximum number of events per request.' }),
    bytes: Type.String({ pattern: sizePattern, default: '1MB', description: 'Maximum size of a request before compression.' }),
    wait: duration('How long an incomplete batch waits for more events.', '1s'),
  },
  { additionalProperties: false, default: {}, description: 'What one request carries at most.' },
);

/** Names of severities in the order of OCSF severity_id, which starts at 1. */
export const severities = ['informational', 'low', 'medium', 'high', 'critical', 'fatal'] as const;

const SinkFilter = Type.Object(
  {
    exclude_actions: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), { description: 'Actions that this sink does not get.' }),
    ),
    only_actions: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), { description: 'The only actions that this sink gets.' }),
    ),
    min_severity: Type.Optional(
      Type.Enum([...severities, 1, 2, 3, 4, 5, 6], { description: 'Lowest severity, by name or OCSF severity_id.' }),
    ),
  },
  { additionalProperties: false, default: {}, description: 'What this sink does not get; applied at delivery.' },
);

/**
 * Options that every sink has, whatever its `type`; a {@link SinkType}'s own `options` hold none of them, except where it describes one
 * (`tls`, say) more closely.
 */
export const CommonSinkOptions = Type.Object(
  {
    type: Type.String({ description: 'Kind of sink.' }),
    enabled: Type.Boolean({
      default: true,
      description: 'false: nothing is sent; what is collected meanwhile waits in the journal.',
    }),
    sources: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        uniqueItems: true,
        description: 'Names of the sources it takes. Unset: all.',
      }),
    ),
    filter: SinkFilter,
    format: Type.Optional(
      Type.Enum([...formats], { description: 'Body of an event. Unset: cim on splunk_hec, ocsf elsewhere.' }),
    ),
    include_raw: Type.Boolean({ default: false, description: "Add the vendor's record as raw_data." }),
    drop: Type.Array(Type.Enum([...droppable]), {
      default: [],
      uniqueItems: true,
      description:
        'Left out of what is sent: optional (attributes that OCSF calls optional), unmapped, observables. ecs has only unmapped; cef, leef and raw have none.',
    }),
    start: Type.String({
      pattern: '^(now|oldest|\\d{4}-\\d\\d-\\d\\d.*)$',
      default: 'now',
      description: 'Where a new sink begins: now, oldest (all that the journal keeps), or an RFC 3339 time.',
    }),
    batch: Batch,
    in_flight: Type.Integer({
      minimum: 1,
      maximum: 256,
      default: 4,
      description: 'Maximum number of requests at once. With 1, order is kept; only an event that fails alone may be overtaken.',
    }),
    timeout: duration('Total time of one request.', '30s'),
    backoff_max: duration('Longest pause between attempts.', '60s'),
    hold_probe: duration('First pause before a hold is probed; doubles up to 5 minutes.', '15s'),
    stalled_after: duration('Without progress for this long, with events that wait, status says so and why.', '10m'),
    when_full: Type.Enum(['wait', 'skip'], {
      default: 'wait',
      description:
        'When the journal is full: wait pauses collection, skip lets this sink lose its oldest undelivered events (entered in the ledger).',
    }),
    max_dead_letters: Type.Integer({
      minimum: 1,
      default: 10_000,
      description: 'Maximum number of dead letters kept; when reached, the sink holds.',
    }),
    proxy: Type.Optional(ProxyOption),
    tls: Type.Optional(TlsOptions),
    allow_plaintext: Type.Boolean({ default: false, description: 'Permit an unencrypted connection beyond this machine.' }),
    labels: Type.Optional(LabelsOption),
  },
  { additionalProperties: false },
);
export type CommonSinkOptions = Static<typeof CommonSinkOptions>;
