// What `read:` of a connector.yaml may say. The descriptions become the documentation and the hints in error messages.
import { type Static, Type } from 'typebox';
import { sizePattern } from '../base/quantity.ts';
import { PathsSpec } from '../event/index.ts';
import {
  boundParts,
  Columns,
  CursorPageSpec,
  closed,
  duration,
  Failures,
  GroupsSpec,
  Hints,
  oneOf,
  PageSpec,
  Request,
  recordParts,
  requestParts,
  Statuses,
  SweepQuery,
  template,
  Variant,
  WindowSpec,
} from './request-section.ts';

/** `read.details` */
export const DetailsSpec = Type.Object(
  {
    url: Type.Optional(template('The address of a detail, such as {{ options.api_url }}/v1/events/{{ record.id }}.')),
    link: Type.Optional(PathsSpec),
    method: Type.Optional(oneOf(['GET', 'POST'], 'GET by default.')),
    headers: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Headers.' })),
    body: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'Body of a POST, as JSON; texts in it may be templates.' }),
    ),
    record: Type.Optional(PathsSpec),
    into: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Member of the record that the detail becomes; by default its members become members of the record.',
      }),
    ),
    rate: Type.Optional(
      Type.String({
        pattern: '^[1-9]\\d*/(\\d+(\\.\\d+)?)?(ms|s|m|h|d|w)$',
        description: 'Most requests for details per time, such as 10/1s.',
      }),
    ),
    timeout: Type.Optional(duration('Time for one answer, 30s by default.')),
    max_bytes: Type.Optional(Type.String({ pattern: sizePattern, description: 'Largest answer, 4MiB by default.' })),
  },
  { ...closed, description: 'A request for the detail of each new record, by address or by a link in the record.' },
);
export type DetailsSpec = Static<typeof DetailsSpec>;

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
    ...recordParts,
    window: WindowSpec,
    newest_first: Type.Optional(
      Type.Boolean({
        description:
          'True for an API without a time range that lists the newest records first: reading ends where they are older than the window.',
      }),
    ),
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
    groups: Type.Optional(GroupsSpec),
    details: Type.Optional(DetailsSpec),
    failures: Type.Optional(Failures),
    statuses: Type.Optional(Statuses),
    hints: Type.Optional(Hints),
    seen_days: seenDays,
  },
  { ...closed, description: 'An API that is asked for a time range.' },
);
export type HttpWindowSpec = Static<typeof HttpWindowSpec>;

/** `read:` of kind http_cursor. */
export const HttpCursorSpec = Type.Object(
  {
    kind: Type.Literal('http_cursor'),
    schedule,
    request: Type.Object(
      { ...requestParts, now: Variant('What differs in the first request of a source that starts now.') },
      { ...closed, description: 'The request for a page; {{ window.from }} has a value only where reading begins.' },
    ),
    page: CursorPageSpec,
    ...recordParts,
    cursor: Type.Object(
      {
        overlap: duration('How far before the newest record reading begins again when the vendor takes a cursor no more.'),
        ...boundParts,
        retention: Type.Optional(duration('How long the vendor keeps events; left out when unknown.')),
      },
      { ...closed, description: 'A cursor that lives from poll to poll.' },
    ),
    range: Type.Optional(
      Type.Object(
        {
          request: Request,
          page: Type.Optional(PageSpec),
          records: Type.Optional(PathsSpec),
          max: Type.Optional(duration('Longest range of one request, 24h by default.')),
          min: Type.Optional(duration('Shortest range that a refused one is halved to; 1m by default.')),
        },
        {
          ...closed,
          description: 'How a range of time is asked for, by backfill and verify; page and records as above by default.',
        },
      ),
    ),
    max_pages: Type.Optional(Type.Integer({ minimum: 1, description: 'Pages of one poll; 10000 by default.' })),
    details: Type.Optional(DetailsSpec),
    failures: Type.Optional(Failures),
    statuses: Type.Optional(Statuses),
    hints: Type.Optional(Hints),
    seen_days: seenDays,
  },
  { ...closed, description: 'An API that goes on from a cursor.' },
);
export type HttpCursorSpec = Static<typeof HttpCursorSpec>;

/** `read:` of kind csv_directory. */
export const CsvDirectorySpec = Type.Object(
  {
    kind: Type.Literal('csv_directory'),
    schedule,
    directory: template('The folder, such as {{ options.directory }}.'),
    pattern: Type.Optional(Type.String({ description: 'Ending of the file names that are read, .csv by default.' })),
    columns: Columns,
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
  http_cursor: HttpCursorSpec,
  csv_directory: CsvDirectorySpec,
  pulsar_websocket: PulsarWebsocketSpec,
} as const;
export type ReadSpec = HttpWindowSpec | HttpCursorSpec | CsvDirectorySpec | PulsarWebsocketSpec;
