// What `auth:` and `read:` of a connector.yaml may say. The descriptions become the documentation and the hints in error messages.
import { type Static, Type } from 'typebox';
import { durationPattern, sizePattern } from '../base/quantity.ts';
import { PathsSpec } from '../event/index.ts';

const closed = { additionalProperties: false } as const;

const duration = (description: string): ReturnType<typeof Type.String> =>
  Type.String({ pattern: durationPattern, description: `${description} A duration such as 30s, 5m, 24h, 30d.` });
const oneOf = <T extends string>(values: readonly T[], description: string): ReturnType<typeof Type.Unsafe<T>> =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], description });
const template = (description: string): ReturnType<typeof Type.String> => Type.String({ minLength: 1, description });

/** `auth:` */
export const AuthSpec = Type.Object(
  {
    basic: Type.Optional(
      Type.Object(
        { username: template('User name.'), password: template('Password.') },
        { ...closed, description: 'HTTP Basic.' },
      ),
    ),
    bearer: Type.Optional(template('The token of `Authorization: Bearer`.')),
    header: Type.Optional(
      Type.Object(
        {
          name: Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", description: 'Header name.' }),
          value: template('Header value.'),
        },
        { ...closed, description: 'A header of its own.' },
      ),
    ),
    oauth2_client_credentials: Type.Optional(
      Type.Object(
        {
          token_url: template('URL of the token endpoint.'),
          client_id: template('Client id.'),
          client_secret: template('Client secret.'),
          scope: Type.Optional(template('Scopes, separated by blanks.')),
          audience: Type.Optional(template('Audience.')),
          auth_style: Type.Optional(
            oneOf(['body', 'basic'], 'Credentials as form fields or as an Authorization header; body by default.'),
          ),
        },
        { ...closed, description: 'OAuth 2.0 client credentials; tokens are cached and renewed.' },
      ),
    ),
  },
  {
    ...closed,
    maxProperties: 1,
    description: 'How requests authenticate: one of basic, bearer, header, oauth2_client_credentials.',
  },
);
export type AuthSpec = Static<typeof AuthSpec>;

const queryValue = Type.Union([
  Type.String(),
  Type.Number(),
  Type.Boolean(),
  Type.Array(Type.Union([Type.String(), Type.Number()])),
]);

const Query = Type.Record(Type.String(), queryValue, {
  description: 'Query parameters; one whose template has no value is left out.',
});
const SweepQuery = Type.Record(Type.String(), Type.Union([queryValue, Type.Null()]), {
  description: 'Query parameters that differ from the request; null leaves one out.',
});

const Variant = (description: string) =>
  Type.Optional(
    Type.Object(
      {
        query: Type.Optional(SweepQuery),
        body: Type.Optional(
          Type.Record(Type.String(), Type.Unknown(), { description: 'Members of the body that differ; null leaves one out.' }),
        ),
      },
      { ...closed, description },
    ),
  );

const Request = Type.Object(
  {
    method: Type.Optional(oneOf(['GET', 'POST'], 'GET by default.')),
    url: template('The address, such as {{ options.api_url }}/v1/logs. Values are percent-encoded and cannot change the host.'),
    headers: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Headers.' })),
    query: Type.Optional(Query),
    body: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'JSON body of a POST; texts in it may be templates.' }),
    ),
    first: Variant('What differs in the request for the first page.'),
    later: Variant('What differs in the requests for later pages.'),
    timeout: Type.Optional(duration('Time for one answer, 30s by default.')),
    max_bytes: Type.Optional(Type.String({ pattern: sizePattern, description: 'Largest answer, 16MiB by default.' })),
  },
  { ...closed, description: 'The request for a page.' },
);

const size = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 100_000, description: 'Records per page; {{ page.limit }} says it to the vendor.' }),
);
const PageSpec = Type.Object(
  {
    kind: oneOf(['offset', 'page_number', 'token', 'link_header', 'link', 'none'], 'How the next page is found.'),
    size,
    total: Type.Optional(PathsSpec),
    token: Type.Optional(PathsSpec),
    link: Type.Optional(PathsSpec),
    header: Type.Optional(
      Type.String({
        pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        description: 'The header that holds the token, the address, or with link_header the links; Link by default.',
      }),
    ),
    link_query: Type.Optional(
      oneOf(['replaced', 'kept'], 'Whether the request keeps parameters that a link does not name; replaced by default.'),
    ),
    link_host: Type.Optional(
      oneOf(
        ['refused', 'ignored'],
        'What a link to another host means: refused by default; ignored takes its path and query at the address of the request.',
      ),
    ),
    first: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1, description: 'Number of the first page with page_number; 1 by default.' }),
    ),
    more: Type.Optional(PathsSpec),
    cap: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'Most records that the vendor returns for one window, over all pages; a window that reaches it is read in halves.',
      }),
    ),
    empty_page: Type.Optional(
      oneOf(['ends', 'continues'], 'What a page without records means; ends by default, with token it continues.'),
    ),
  },
  { ...closed, description: 'How pages follow each other.' },
);
type PageSpec = Static<typeof PageSpec>;

const WindowSpec = Type.Object(
  {
    overlap: duration('How far a window reaches back over the one before it.'),
    settle: duration('How long before now a window ends.'),
    max: duration('Longest window.'),
    min: Type.Optional(duration('Shortest window that a refused one is halved to; 1m by default.')),
    precision: Type.Optional(oneOf(['s', 'ms', 'us'], 'Digits of the bounds that the vendor takes; ms by default.')),
    format: Type.Optional(
      Type.String({
        pattern: '^(rfc3339|date|epoch_(s|ms|us|ns)|.*yyyy.*MM.*dd.*)$',
        description:
          'How bounds are written: rfc3339 (by default), date, epoch_s, epoch_ms, epoch_us, epoch_ns, or a pattern such as yyyy-MM-dd HH:mm:ss.',
      }),
    ),
    retention: Type.Optional(duration('How long the vendor keeps events; left out when unknown.')),
  },
  { ...closed, description: 'Time windows.' },
);
export type WindowSpec = Static<typeof WindowSpec>;

const Hints = Type.Record(Type.String({ pattern: '^[1-5][0-9][0-9]$' }), Type.String({ minLength: 1 }), {
  description: 'The fix to show for a refused request, by status.',
});

const meanings = [
  'ok',
  'empty',
  'refused',
  'rate_limit',
  'unavailable',
  'page_token_refused',
  'window_too_large',
  'failed',
] as const;
/** What an answer may mean. */
export type Meaning = (typeof meanings)[number];
const Failures = Type.Record(
  Type.String(),
  Type.Record(Type.String(), oneOf(meanings, 'What it means.'), {
    description:
      'What the member means by its text, compared without case; * is any other value that is not missing, false, 0 or empty, failed by default.',
  }),
  { description: 'By path: members of the body that say that the request failed; the first that says something counts.' },
);
const Statuses = Type.Record(Type.String({ pattern: '^[1-5][0-9][0-9]$' }), oneOf(meanings, 'What it means.'), {
  description: 'What a status means where it differs from custom, such as { 404: empty }.',
});

const schedule = duration('How often to read when the source does not say.');
const seenDays = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 400,
    description: 'Days that ids are remembered beyond overlap, sweep and retention; 10 by default.',
  }),
);

/** `read:` of kind http_window. */
export const HttpWindowSpec = Type.Object(
  {
    kind: Type.Literal('http_window'),
    schedule,
    request: Request,
    page: PageSpec,
    records: PathsSpec,
    records_missing: Type.Optional(
      oneOf(
        ['error', 'empty'],
        'What a JSON object without the list, or with null in its place, means; error by default, empty for vendors that leave an empty list out.',
      ),
    ),
    window: WindowSpec,
    ascending: Type.Optional(Type.Boolean({ description: 'True when the vendor promises pages in ascending time order.' })),
    max_pages: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Pages of one walk before it counts as a loop; 10000 by default.' }),
    ),
    sweep: Type.Optional(
      Type.Object(
        { query: SweepQuery },
        { ...closed, description: 'The same request without a time range, newest first, for rows that no window returns.' },
      ),
    ),
    failures: Type.Optional(Failures),
    statuses: Type.Optional(Statuses),
    hints: Type.Optional(Hints),
    seen_days: seenDays,
  },
  { ...closed, description: 'An API that is asked for a time range.' },
);
export type HttpWindowSpec = Static<typeof HttpWindowSpec>;

/** `read:` of kind csv_directory. */
export const CsvDirectorySpec = Type.Object(
  {
    kind: Type.Literal('csv_directory'),
    schedule,
    directory: template('The folder, such as {{ options.directory }}.'),
    pattern: Type.Optional(Type.String({ description: 'Ending of the file names that are read, .csv by default.' })),
    columns: Type.Record(Type.String(), Type.Array(Type.String()), {
      description: 'The names that records carry, each with other spellings of the header.',
    }),
    required: Type.Optional(Type.Array(Type.String(), { description: 'Columns without which a file is no table of this kind.' })),
    max_bytes: Type.Optional(Type.String({ pattern: sizePattern, description: 'Largest file, 1GiB by default.' })),
    retention: Type.Optional(duration('How long the vendor keeps events.')),
    seen_days: seenDays,
  },
  { ...closed, description: 'A folder in which CSV files appear.' },
);
export type CsvDirectorySpec = Static<typeof CsvDirectorySpec>;

/** `read:` of kind pulsar_websocket. */
export const PulsarWebsocketSpec = Type.Object(
  {
    kind: Type.Literal('pulsar_websocket'),
    url: template('The WebSocket service, such as {{ options.websocket_url }}; it ends in /ws/v2.'),
    topics: Type.Array(template('persistent://tenant/namespace/topic.'), {
      minItems: 1,
      description: 'The topics; an option that is a list gives several.',
    }),
    subscription: template('Name of the durable subscription.'),
    token: Type.Optional(template('Token for the broker.')),
    token_in_query_ports: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), {
        description: 'Ports on which the token goes into the query instead of a header.',
      }),
    ),
    token_in: Type.Optional(template('`header` or `query`, whatever the port; for proxies that move ports.')),
    admin: Type.Optional(template('Address of the admin API, for `check`; it is asked for subscription and policies.')),
    receiver_queue: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'Messages that the broker sends ahead of their acknowledgement; 500 by default.',
      }),
    ),
    retention: Type.Optional(duration('How long the vendor keeps events.')),
    hints: Type.Optional(Hints),
    seen_days: seenDays,
  },
  { ...closed, description: 'A durable subscription to Apache Pulsar over WebSocket.' },
);
export type PulsarWebsocketSpec = Static<typeof PulsarWebsocketSpec>;

/** The kinds of `read:`, by name. */
export const readKinds = {
  http_window: HttpWindowSpec,
  csv_directory: CsvDirectorySpec,
  pulsar_websocket: PulsarWebsocketSpec,
} as const;
export type ReadSpec = HttpWindowSpec | CsvDirectorySpec | PulsarWebsocketSpec;
