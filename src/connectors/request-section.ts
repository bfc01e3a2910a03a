// What a connector.yaml says of requests to an API and of its answers, whatever the kind of reading. The descriptions become the documentation and
// the hints in error messages.
import { type Static, Type } from 'typebox';
import { durationPattern, sizePattern } from '../base/quantity.ts';
import { PathsSpec } from '../event/index.ts';

export const closed = { additionalProperties: false } as const;

export const duration = (description: string): ReturnType<typeof Type.String> =>
  Type.String({ pattern: durationPattern, description: `${description} A duration such as 30s, 5m, 24h, 30d.` });
export const oneOf = <T extends string>(values: readonly T[], description: string): ReturnType<typeof Type.Unsafe<T>> =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], description });
export const template = (description: string): ReturnType<typeof Type.String> => Type.String({ minLength: 1, description });

const queryValue = Type.Union([
  Type.String(),
  Type.Number(),
  Type.Boolean(),
  Type.Array(Type.Union([Type.String(), Type.Number()])),
]);

const Query = Type.Record(Type.String(), queryValue, {
  description: 'Query parameters; one whose template has no value is left out.',
});
export const SweepQuery = Type.Record(Type.String(), Type.Union([queryValue, Type.Null()]), {
  description: 'Query parameters that differ from the request; null leaves one out.',
});

export const Variant = (description: string) =>
  Type.Optional(
    Type.Object(
      {
        method: Type.Optional(oneOf(['GET', 'POST'], 'The method, where it differs; a GET has no body.')),
        url: Type.Optional(template('The address, where it differs; at the same host.')),
        query: Type.Optional(SweepQuery),
        body: Type.Optional(
          Type.Record(Type.String(), Type.Unknown(), { description: 'Members of the body that differ; null leaves one out.' }),
        ),
      },
      { ...closed, description },
    ),
  );

export const requestParts = {
  method: Type.Optional(oneOf(['GET', 'POST'], 'GET by default.')),
  url: template('The address, such as {{ options.api_url }}/v1/logs. Values are percent-encoded and cannot change the host.'),
  headers: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Headers.' })),
  query: Type.Optional(Query),
  body: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { description: 'Body of a POST, as JSON; texts in it may be templates.' }),
  ),
  body_format: Type.Optional(
    oneOf(
      ['json', 'form'],
      'How the body is written: json by default; form sends fields (application/x-www-form-urlencoded), of which a list is sent once per value.',
    ),
  ),
  first: Variant('What differs in the request for the first page.'),
  later: Variant('What differs in the requests for later pages.'),
  timeout: Type.Optional(duration('Time for one answer, 30s by default.')),
  max_bytes: Type.Optional(Type.String({ pattern: sizePattern, description: 'Largest answer, 16MiB by default.' })),
};
export const Request = Type.Object(requestParts, { ...closed, description: 'The request for a page.' });

const size = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 100_000, description: 'Records per page; {{ page.limit }} says it to the vendor.' }),
);
/** What a place in a vendor's log is read from, be it a page's or a cursor. */
const placeParts = {
  token: Type.Optional(PathsSpec),
  token_is: Type.Optional(
    oneOf(
      ['text', 'json'],
      'How the token is sent: as text by default; json where a member of the body is the number, list or object that the vendor told.',
    ),
  ),
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
  more: Type.Optional(PathsSpec),
};
const pageParts = {
  kind: oneOf(['offset', 'page_number', 'token', 'link_header', 'link', 'none'], 'How the next page is found.'),
  size,
  total: Type.Optional(PathsSpec),
  ...placeParts,
  first: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 1, description: 'Number of the first page with page_number; 1 by default.' }),
  ),
  empty_page: Type.Optional(
    oneOf(['ends', 'continues'], 'What a page without records means; ends by default, with token it continues.'),
  ),
};
const whole = Type.Optional(
  Type.Boolean({
    description:
      'True where no number of records means a cut: with none the one reply holds everything, else pages go on to the end and the total is exact.',
  }),
);
const pages = { ...closed, description: 'How pages follow each other.' };
export const PageSpec = Type.Object(
  {
    ...pageParts,
    whole,
    end: Type.Optional(
      Type.Union([Type.String(), Type.Number()], {
        description: 'What a vendor writes in the place of the token on the last page, if it writes something: 0, -1, none.',
      }),
    ),
    cap: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'Most records that the vendor returns for one window, over all pages; a window that reaches it is read in halves.',
      }),
    ),
  },
  pages,
);

export const CursorPageSpec = Type.Object(
  {
    kind: oneOf(['token', 'link_header', 'link'], 'Where the cursor is found: what the next request begins at.'),
    size,
    ...placeParts,
    empty_page: Type.Optional(
      oneOf(
        ['ends', 'continues'],
        'What a page without records, whose cursor moved, means for the poll where more says nothing; ends by default.',
      ),
    ),
  },
  { ...closed, description: 'How the log goes on after a page, within a poll and from one to the next.' },
);

/** Bounds that are numbers, from the coarsest unit to the finest: each is a thousandth of the one before. */
export const epochFormats = ['epoch_s', 'epoch_ms', 'epoch_us', 'epoch_ns'] as const;
export type EpochFormat = (typeof epochFormats)[number];

export const boundParts = {
  precision: Type.Optional(oneOf(['s', 'ms', 'us'], 'Digits of the bounds that the vendor takes; ms by default.')),
  format: Type.Optional(
    Type.String({
      pattern: '^(rfc3339|date|epoch_(s|ms|us|ns)|.*yyyy.*MM.*dd.*)$',
      description:
        "How bounds are written: rfc3339 (by default), date, epoch_s, epoch_ms, epoch_us, epoch_ns, or a pattern of yyyy MM dd HH mm ss SSS with other letters in single quotes, such as yyyy-MM-dd'T'HH:mm:ss.",
    }),
  ),
};

export const WindowSpec = Type.Object(
  {
    overlap: duration('How far a window reaches back over the one before it.'),
    settle: duration('How long before now a window ends.'),
    max: duration('Longest window.'),
    min: Type.Optional(duration('Shortest window that a refused one is halved to; 1m by default.')),
    ...boundParts,
    zone: Type.Optional(
      Type.String({ description: 'Zone in which dates and patterns are written, such as Europe/Berlin; UTC by default.' }),
    ),
    retention: Type.Optional(duration('How long the vendor keeps events; left out when unknown.')),
  },
  { ...closed, description: 'Time windows.' },
);
export type WindowSpec = Static<typeof WindowSpec>;

export const Hints = Type.Record(Type.String({ pattern: '^[1-5][0-9][0-9]$' }), Type.String({ minLength: 1 }), {
  description: 'The fix to show for a refused request, by status.',
});

const meanings = [
  'ok',
  'empty',
  'refused',
  'rate_limit',
  'unavailable',
  'pending',
  'page_token_refused',
  'window_too_large',
  'failed',
] as const;
/** What an answer may mean. */
export type Meaning = (typeof meanings)[number];
export const Failures = Type.Record(
  Type.String(),
  Type.Record(Type.String(), oneOf(meanings, 'What it means.'), {
    description:
      'What the member means by its text, compared without case; * is any other value that is not missing, false, 0 or empty, failed by default.',
  }),
  { description: 'By path: members of the body that say that the request failed; the first that says something counts.' },
);
export const Statuses = Type.Record(Type.String({ pattern: '^[1-5][0-9][0-9]$' }), oneOf(meanings, 'What it means.'), {
  description: 'What a status means where it differs from custom, such as { 404: empty }.',
});

export const Columns = Type.Record(Type.String(), Type.Array(Type.String()), {
  description: 'The names that records carry, each with other spellings of the header.',
});
/** `read.columns` */
export const ColumnsSpec = Type.Union([
  Type.Array(Type.String({ minLength: 1 }), {
    minItems: 1,
    uniqueItems: true,
    description: 'The names of the values of a record, in order.',
  }),
  Type.Object(
    {
      at: PathsSpec,
      name: Type.Optional(PathsSpec),
      row: Type.Optional(PathsSpec),
      value: Type.Optional(PathsSpec),
    },
    {
      ...closed,
      description:
        'Where the reply names the values: the path of the list of columns, of the name in each, of the list of values in a record, and of the value in each.',
    },
  ),
]);
export type ColumnsSpec = Static<typeof ColumnsSpec>;

const replyParts = {
  format: Type.Optional(oneOf(['json', 'ndjson', 'csv'], 'json by default; ndjson has a record a line, csv a row.')),
  charset: Type.Optional(Type.String({ description: 'Such as windows-1252; UTF-8 by default.' })),
};
const replyText = { ...closed, description: 'What kind of text a reply is.' };
const ReplySpec = Type.Object({ ...replyParts, columns: Type.Optional(Columns), trailer: Type.Optional(PathsSpec) }, replyText);

const PendingSpec = Type.Object(
  {
    link: Type.Optional(PathsSpec),
    header: Type.Optional(Type.String({ minLength: 1, description: 'The header that holds the address to ask again.' })),
    url: Type.Optional(template('The address to ask again, such as {{ options.api_url }}/v1/jobs/{{ reply.id }}.')),
    every: Type.Optional(duration('How long to wait before asking again, 2s by default.')),
    at_most: Type.Optional(duration('How long to go on asking, 5m by default.')),
  },
  { ...closed, description: 'How to ask again where an answer means pending; the same request by default.' },
);

export const recordParts = {
  storage: Type.Optional(
    Type.Array(template('A host such as *.s3.*.amazonaws.com.'), {
      minItems: 1,
      description:
        'Hosts beside that of the API at which files lie, at addresses that prove themselves: links and redirects may lead there, without the credential.',
    }),
  ),
  reply: Type.Optional(ReplySpec),
  records: PathsSpec,
  records_are: Type.Optional(
    oneOf(['list', 'map'], 'map where records are the values of an object, by names of their own; list by default.'),
  ),
  records_into: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Member of each record that becomes the path of its list, where all lists of records are read.',
    }),
  ),
  columns: Type.Optional(ColumnsSpec),
  pending: Type.Optional(PendingSpec),
  records_missing: Type.Optional(
    oneOf(
      ['error', 'empty'],
      'What a JSON object without the list, or with null in its place, means; error by default, empty for vendors that leave an empty list out.',
    ),
  ),
};

/** `read.groups` */
export const GroupsSpec = Type.Object(
  {
    request: Request,
    page: Type.Optional(Type.Object({ ...pageParts, whole }, pages)),
    records: PathsSpec,
    reply: Type.Optional(Type.Object(replyParts, replyText)),
    link: Type.Optional(PathsSpec),
    id: PathsSpec,
    into: Type.Optional(Type.String({ minLength: 1, description: 'Member of each record that becomes the id of its group.' })),
  },
  {
    ...closed,
    description: 'A list of organizations or the like, each of which is read; {{ group.PATH }} is a value of the one.',
  },
);
export type GroupsSpec = Static<typeof GroupsSpec>;
