import { type Static, Type } from 'typebox';
import { secret, text } from '../common-options.ts';

const closed = { additionalProperties: false } as const;

/** Client credentials that an access token is minted with. */
export const OAuth2Options = Type.Object(
  {
    token_url: Type.String({ format: 'uri', pattern: '^https?://', description: 'Token endpoint.' }),
    client_id: text('Client id.'),
    client_secret: secret('Client secret.'),
    scope: Type.Optional(text('Scope. Unset: what the preset needs.')),
    audience: Type.Optional(text('Audience, where the issuer requires one.')),
    auth_style: Type.Optional(
      Type.Enum(['body', 'basic'], {
        description: 'Where the credentials go: form fields (default) or an Authorization header.',
      }),
    ),
  },
  { ...closed, description: 'OAuth 2 client credentials.' },
);

/** `auth:`, exactly one way. */
const Auth = Type.Object(
  {
    bearer: Type.Optional(secret('Token, sent as `Authorization: Bearer`.')),
    basic: Type.Optional(
      Type.Object({ username: text('User name.'), password: secret('Password.') }, { ...closed, description: 'HTTP Basic.' }),
    ),
    header: Type.Optional(
      Type.Object(
        { name: text('Header name.'), value: secret('Header value.') },
        { ...closed, description: 'Any other header.' },
      ),
    ),
    api_key: Type.Optional(secret('Key, sent in the header that the preset expects.')),
    oauth2: Type.Optional(OAuth2Options),
    google_service_account: Type.Optional(
      secret('Key file of a Google service account (its JSON text). Write ${file:/run/secrets/key.json}.'),
    ),
  },
  { ...closed, minProperties: 1, maxProperties: 1, description: 'How requests authenticate: one of these.' },
);

/** What is `http`'s own of a sink's options. */
export const HttpOptions = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        format: 'uri',
        pattern: '^https?://',
        description: 'Where batches go. With a preset the base URL, to which the preset adds its path.',
      }),
    ),
    method: Type.Enum(['POST', 'PUT'], { default: 'POST', description: 'Request method.' }),
    body: Type.Enum(['ndjson', 'json_array', 'single'], {
      default: 'ndjson',
      description: 'ndjson: one event a line; json_array: one array; single: one request per event. A preset has its own.',
    }),
    compression: Type.Optional(
      Type.Enum(['none', 'gzip', 'zstd'], {
        description: 'Content-Encoding of requests. Unset: gzip with preset sentinel, none elsewhere.',
      }),
    ),
    auth: Type.Optional(Auth),
    signature: Type.Optional(
      Type.Object(
        {
          standard_webhooks: Type.Array(secret('Secret, `whsec_` and base64.'), {
            minItems: 1,
            maxItems: 5,
            description:
              'Secrets of the Standard Webhooks signature; with several, each signs every request, so that they can be rotated.',
          }),
        },
        { ...closed, description: 'Signature over each request.' },
      ),
    ),
    headers: Type.Optional(
      Type.Record(Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" }), Type.String(), {
        description: 'More headers of every request.',
      }),
    ),
    refused_count: Type.Optional(
      Type.String({
        pattern: '^[^.]+(\\.[^.]+)*$',
        description:
          'Path, such as `result.failed`, in the JSON of a 2xx answer to the number of events it refused. More than 0 is no success: halves are sent until the refused event is alone.',
      }),
    ),
    preset: Type.Optional(
      Type.Enum(['elasticsearch', 'opensearch', 'datadog', 'sentinel', 'google_secops', 'otlp'], {
        description: 'Path, body, limits and answers of a known receiver.',
      }),
    ),
    index: Type.Optional(text('elasticsearch, opensearch: index or data stream.')),
    dcr: Type.Optional(text('sentinel: immutable id of the data collection rule, `dcr-...`.')),
    stream: Type.Optional(text('sentinel: stream of the rule, `Custom-...`.')),
    project: Type.Optional(text('google_secops: Google Cloud project.')),
    region: Type.Optional(text('google_secops: region of the instance.')),
    instance: Type.Optional(text('google_secops: instance id.')),
    log_type: Type.Optional(text('google_secops: log type.')),
    forwarder: Type.Optional(text('google_secops: resource name of a forwarder.')),
  },
  { additionalProperties: false },
);
export type HttpOptions = Static<typeof HttpOptions>;
export type HttpAuth = NonNullable<HttpOptions['auth']>;
