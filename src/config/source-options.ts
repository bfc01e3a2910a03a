import { type Static, Type } from 'typebox';
import { durationPattern } from '../base/quantity.ts';
import { LabelsOption, ProxyOption, TlsOptions } from '../sinks/common-options.ts';

const duration = (description: string): ReturnType<typeof Type.String> => Type.String({ pattern: durationPattern, description });
const actions = (description: string) => Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description });

const Schedule = Type.Union(
  [
    Type.String({ minLength: 1 }),
    Type.Object(
      {
        every: Type.Optional(duration('An interval, `1m`.')),
        cron: Type.Optional(Type.String({ minLength: 1, description: 'A cron expression of five or six fields.' })),
        timezone: Type.Optional(Type.String({ minLength: 1, description: 'Zone of the cron expression. Unset: UTC.' })),
      },
      { additionalProperties: false },
    ),
  ],
  {
    description:
      'How often to poll: an interval (`1m`) or a cron expression (`"*/5 * * * *"`). Unset: what the connector proposes.',
  },
);

const Window = Type.Object(
  {
    overlap: Type.Optional(duration('How much of the time already read is read again at every poll.')),
    settle: Type.Optional(duration('How long before now a window ends.')),
    max: Type.Optional(duration('Longest window.')),
    min: Type.Optional(duration('Shortest window when the vendor refuses longer ones.')),
  },
  { additionalProperties: false, default: {}, description: "Overrides the connector's window." },
);

const SourceFilter = Type.Object(
  {
    exclude_actions: Type.Optional(actions('Actions that are not collected.')),
    only_actions: Type.Optional(actions('The only actions that are collected.')),
  },
  {
    additionalProperties: false,
    default: {},
    description: 'What is left out before the journal; these records are counted as excluded.',
  },
);

const Sweep = Type.Object(
  {
    every: Type.String({
      pattern: durationPattern,
      default: '6h',
      description:
        'Time between sweeps; the first one runs this long after the start. With `run --once`, a run during which a sweep is due does it.',
    }),
    back: Type.String({ pattern: durationPattern, default: '24h', description: 'How far back a sweep reads.' }),
  },
  { additionalProperties: false, description: 'Read closed windows again and forward what arrived late.' },
);

/** What every source has, whatever its connector; `options` is checked against the connector's own schema. */
export const SourceOptions = Type.Object(
  {
    connector: Type.String({
      minLength: 1,
      description: 'Name of the connector; `penstock actions` lists those that are shipped.',
    }),
    enabled: Type.Boolean({ default: true, description: 'false: it is not polled.' }),
    shared: Type.Boolean({
      default: false,
      description:
        'The directory that it reads is one that every replica sees under the same path; only with a journal in PostgreSQL.',
    }),
    options: Type.Record(Type.String(), Type.Unknown(), { default: {}, description: "The connector's own options." }),
    schedule: Type.Optional(Schedule),
    cron: Type.Optional(Type.String({ minLength: 1, description: 'A cron expression, instead of `schedule`.' })),
    timezone: Type.Optional(
      Type.String({ minLength: 1, description: 'Zone of a cron expression, `Europe/Berlin`. Unset: UTC.' }),
    ),
    start: Type.String({
      minLength: 1,
      default: '24h',
      description: 'How far back the first run reads: a duration, an RFC 3339 time, now, or oldest: all that the vendor keeps.',
    }),
    rate_limit: Type.Optional(
      Type.String({
        pattern: '^[1-9]\\d*/(\\d+(\\.\\d+)?)?(ms|s|m|h|d|w)$',
        description: "Maximum number of requests per time, `60/1m`, on top of what the vendor's headers say.",
      }),
    ),
    window: Window,
    filter: SourceFilter,
    self_events: Type.Enum(['exclude', 'forward'], {
      default: 'exclude',
      description: "Records that Penstock's own requests leave in the vendor's log.",
    }),
    retention: Type.Optional(duration('How long the vendor keeps events. Unset: what the connector says.')),
    expect_events_within: Type.Optional(duration('Warn when no event arrived for this long.')),
    credential_expires: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d\\d-\\d\\d',
        description: 'When the credential expires, a date or RFC 3339 time; a warning is shown from 14 days before.',
      }),
    ),
    sweep: Type.Optional(Sweep),
    labels: Type.Optional(LabelsOption),
    validate: Type.Enum(['warn', 'off'], {
      default: 'warn',
      description:
        'warn: every event is checked by OCSF 1.8.0; those that are not valid are counted, named once for each action, and delivered all the same.',
    }),
    actions: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.Record(Type.String(), Type.Unknown()))], {
        description: "Rows that extend or override the connector's action table, or the path of a YAML file with them.",
      }),
    ),
    proxy: Type.Optional(ProxyOption),
    tls: Type.Optional(TlsOptions),
    allow_plaintext: Type.Boolean({ default: false, description: 'Permit an unencrypted connection beyond this machine.' }),
  },
  { additionalProperties: false },
);
export type SourceOptions = Static<typeof SourceOptions>;
