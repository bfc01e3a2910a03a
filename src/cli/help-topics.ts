/** What `penstock help TOPIC` explains besides commands. */
export interface HelpTopic {
  readonly summary: string;
  readonly text: string;
}

const config = `The configuration is one YAML file, config/penstock.yaml unless -c or PENSTOCK_CONFIG names another.

  data_dir: ./data                # the journal
  sources:
    feed:                         # a name of your choice; it is the source's identity
      connector: NAME             # see: penstock actions
      options: { token: "\${env:FEED_TOKEN}" }
      schedule: 1m
  sinks:
    out: { type: stdout }

Secrets are read from the environment, \${env:NAME}, or from files, \${file:/run/secrets/name}; $\${ is a literal \${.
Relative paths start at the configuration file. Durations are written 30s, 5m, 24h, 30d; sizes 500KB, 2GiB.

Begin with a copy of config/penstock.example.yaml, which has every option with a comment. Then:
  $ penstock validate             checks the file, shows every fault with line and column
  $ penstock check                asks every source and sink once
  $ penstock preview SOURCE       shows a page of records beside the events that they become
  $ penstock run                  starts the daemon
`;

const exitCodes = `0  it went well
1  it failed: the message says what, where and the fix
2  the configuration or the command line is wrong; nothing was done
`;

const holds = `A source or sink holds when only a person can help: wrong credentials, a missing index, a changed identity. Nothing is lost:
the vendor, or the journal, keeps the events. A hold is probed by itself after 15 s, then ever more slowly up to every 5 minutes, with
secrets and certificates read again, so that a rotated credential needs no restart.

  $ penstock status               shows what holds, why, and the fix
`;

/** The topics, by the word that follows \`help\`. */
export const helpTopics: Readonly<Record<string, HelpTopic>> = {
  config: { summary: 'how the configuration is written', text: config },
  holds: { summary: 'what a hold is and how it ends', text: holds },
  'exit-codes': { summary: 'what the exit codes mean', text: exitCodes },
};
