import { type Static, Type } from 'typebox';
import { durationPattern, sizePattern } from '../base/quantity.ts';
import { ProxyOption, TlsOptions } from '../sinks/common-options.ts';

/** What a source or sink may be called; names stand in file names, metrics and labels. */
export const namePattern = '^[a-z0-9][a-z0-9_-]{0,62}$';

const blocks = (description: string) =>
  Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown()), { default: {}, description });

const Admin = Type.Object(
  {
    listen: Type.String({
      pattern: '^(off|(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):\\d{1,5})$',
      default: '127.0.0.1:8690',
      description:
        'Host and port of health, metrics and the page, or off; commands use the socket in data_dir. Beyond loopback without tls only health and metrics are served.',
    }),
    metrics: Type.Enum(['open', 'token'], {
      default: 'open',
      description: 'Who may read /metrics: everybody who reaches the port, or who sends the token of data_dir/admin.token.',
    }),
    tls: Type.Optional(
      Type.Object(
        {
          cert_file: Type.String({ minLength: 1, format: 'path', description: 'PEM file of the certificate with its chain.' }),
          key_file: Type.String({ minLength: 1, format: 'path', description: "PEM file of the certificate's key." }),
        },
        { additionalProperties: false, description: 'Serve HTTPS.' },
      ),
    ),
  },
  { additionalProperties: false, default: {}, description: 'The admin server.' },
);

const Journal = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'PostgreSQL database that replicas share, `postgres://USER@HOST:5432/DATABASE`. Unset: a file in data_dir, for one daemon.',
      }),
    ),
    password: Type.Optional(
      Type.String({
        minLength: 1,
        secret: true,
        description: "The user's password; read again for each new connection. Write ${file:/run/secrets/pg_password}.",
      }),
    ),
    tls: Type.Optional(
      Type.Object(
        {
          ca_file: Type.String({
            minLength: 1,
            format: 'path',
            description: "PEM file of the authorities that the server's certificate is checked with.",
          }),
        },
        {
          additionalProperties: false,
          description: 'How the certificate of the database is checked. TLS is always used and verified, except on loopback.',
        },
      ),
    ),
    schema: Type.Optional(
      Type.String({
        pattern: '^[a-z_][a-z0-9_]{0,62}$',
        description:
          'Schema of the tables, so that several Penstocks can share a database: lower-case letters, digits and _, no digit first. Unset: penstock.',
      }),
    ),
    lease: Type.Optional(
      Type.String({
        pattern: durationPattern,
        description: "After this long without a word a replica's sources go to the others, 3s to 60s. Unset: 10s.",
      }),
    ),
    connections: Type.Optional(
      Type.Integer({
        minimum: 2,
        maximum: 200,
        description: 'Most connections to the database of one replica, besides two that keep the lease. Unset: 8.',
      }),
    ),
    max_bytes: Type.Optional(
      Type.String({
        pattern: sizePattern,
        description:
          'Maximum space on disk, at least 8MiB; when it is used up, collection pauses. Unset: 2GiB, with `url` 50GiB for all replicas together.',
      }),
    ),
    keep: Type.String({
      pattern: durationPattern,
      default: '7d',
      description: 'How long delivered records stay for replay; a target, not a promise.',
    }),
  },
  { additionalProperties: false, default: {}, description: 'Where the journal is, and its limits.' },
);

/** The whole file; sources and sinks are checked one by one, each against the schema of its kind. */
export const FileOptions = Type.Object(
  {
    data_dir: Type.String({
      minLength: 1,
      default: './data',
      format: 'path',
      description: 'Folder of the journal; one daemon at a time.',
    }),
    log: Type.Object(
      {
        level: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
          default: 'info',
          description: 'Lowest level that is logged.',
        }),
      },
      { additionalProperties: false, default: {}, description: 'The log on standard error.' },
    ),
    admin: Admin,
    journal: Journal,
    replica: Type.Object(
      {
        name: Type.Optional(
          Type.String({
            pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$',
            description:
              'What this process is called among those that share the journal, and `${replica}` in paths. Unset: the name of the host.',
          }),
        ),
        labels: Type.Array(Type.String({ minLength: 1 }), {
          default: [],
          description: 'Labels of this process, for its operators.',
        }),
      },
      { additionalProperties: false, default: {}, description: 'This process among the replicas that share a journal.' },
    ),
    connectors_dir: Type.Optional(
      Type.String({
        minLength: 1,
        format: 'path',
        description: 'Folder with connectors of your own; looked up before the shipped ones.',
      }),
    ),
    shutdown_timeout: Type.String({
      pattern: durationPattern,
      default: '8s',
      description: 'How long requests in flight may take at SIGTERM.',
    }),
    watch: Type.Boolean({
      default: false,
      description: 'Apply changes of this file and of its connectors within seconds, as "penstock reload" does.',
    }),
    proxy: Type.Optional(ProxyOption),
    tls: Type.Optional(TlsOptions),
    sources: blocks('What is collected, by name.'),
    sinks: blocks('Where it is delivered, by name.'),
  },
  { additionalProperties: false },
);
export type FileOptions = Static<typeof FileOptions>;
