import type { Command } from 'commander';
import { PenstockError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { packageVersion } from '../base/package.ts';
import type { CommandContext } from './context.ts';

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

Begin with penstock init; config/penstock.example.yaml has every option with a comment. Then:
  $ penstock validate             checks the file, shows every fault with line and column
  $ penstock check                asks every source and sink once
  $ penstock preview SOURCE       shows a page of records beside the events that they become
  $ penstock run                  starts the daemon
`;

const exitCodes = `0  success
1  failure: the message says what, where and how to fix it
2  the configuration or the command line is invalid; nothing was done
`;

const holds = `A source or sink holds when only a person can help: wrong credentials, a missing index, a changed identity. Nothing is lost:
the vendor, or the journal, keeps the events. Penstock retries by itself after 15 s, then less and less often, at least every 5
minutes, and reads secrets and certificates again each time: a rotated credential needs no restart.

  $ penstock status               shows what holds, why, and the fix
`;

/** What `penstock help TOPIC` explains besides commands. */
export const helpTopics: Readonly<Record<string, { readonly summary: string; readonly text: string }>> = {
  config: { summary: 'how the configuration is written', text: config },
  holds: { summary: 'what a hold is and how it ends', text: holds },
  'exit-codes': { summary: 'what the exit codes mean', text: exitCodes },
};

/** Command lines that the help of a command ends with, by its words; a comment says what each is for. */
export const helpExamples: Readonly<Record<string, readonly string[]>> = {
  init: [
    'penstock init                              # asks for vendor and sink',
    'penstock init --vendor VENDOR --sink SINK --dir ./audit',
  ],
  validate: [
    'penstock validate -c config/penstock.yaml',
    'penstock validate --without-secrets --json  # in CI, where there are no secrets',
  ],
  check: ['penstock check -c penstock.yaml            # before the first run, and after every change of a credential'],
  doctor: ['penstock doctor -c penstock.yaml           # on the machine that runs it, with or without the daemon'],
  preview: [
    'penstock preview SOURCE --limit 1          # does the source answer, and is the event what you expect?',
    'penstock preview SOURCE --json | jq .',
  ],
  run: [
    'penstock run -c penstock.yaml              # the daemon; Ctrl-C or SIGTERM ends it, nothing is lost',
    'penstock run --once --timeout 5m           # for a cron job: collect what is due, deliver it, exit',
  ],
  reload: [
    'penstock reload -c penstock.yaml           # waits until the daemon has applied the file; exit 2 and the faults when it refuses',
  ],
  status: [
    'penstock status                            # problems are listed below the tables, each with its fix',
    'penstock status --check || echo trouble    # for a probe: prints only problems',
  ],
  health: [
    'penstock health -c penstock.yaml           # what the HEALTHCHECK of the image runs',
    'penstock health --data-dir /var/lib/penstock   # also while the file is gone',
  ],
  tail: [
    'penstock tail                              # what arrives from now on',
    'penstock tail --source SOURCE --since 10m --format ecs | jq .',
  ],
  ledger: ['penstock ledger                            # new = acknowledged + unconfirmed + dead lettered + ... + pending'],
  'dead-letters': [
    'penstock dead-letters list --sink SINK     # what was refused, and the reason',
    'penstock dead-letters show 17              # the record of one',
    'penstock dead-letters retry --sink SINK    # after fixing the cause',
  ],
  verify: [
    'penstock verify SOURCE --from 7d --to 1h   # the last week except the last hour',
    'penstock verify SOURCE --from 2026-11-01 --to 2026-11-07 --repair --html report.html',
  ],
  backfill: [
    'penstock backfill SOURCE --from 2026-10-01 --to 2026-10-31',
    'penstock backfill SOURCE --from 2026-11-20T08:00:00Z --to 2026-11-20T09:00:00Z',
  ],
  import: ['penstock import SOURCE ~/Downloads/*.csv'],
  replay: [
    'penstock replay SINK --from 2026-11-20T08:00:00Z --to 2026-11-20T09:00:00Z',
    'penstock replay SINK --from 7d --to 0s --action policy_updated   # after fixing an action table',
  ],
  jobs: [
    'penstock jobs                              # what a daemon does beside its daily work, and how far it is',
    'penstock jobs cancel 12                    # a replay of the wrong month',
  ],
  sources: [
    'penstock sources list',
    'penstock sources release SOURCE            # after renewing the credential: retry at once',
    'penstock sources rename OLD NEW            # stop the daemon first, then rename it in the configuration too',
    'penstock sources forget SOURCE             # one that was removed for good: shows what goes; --yes does it',
  ],
  sinks: [
    'penstock sinks list',
    'penstock sinks release SINK                # after fixing the receiver: retry at once',
    'penstock sinks forget SINK                 # one that was removed for good: shows what goes; --yes does it',
  ],
  journal: [
    'penstock journal check',
    'penstock journal backup /mnt/journal.db    # the daemon may keep running',
    'penstock journal repair                    # stop the daemon first; keeps the damaged file',
  ],
  schema: ['penstock schema > penstock.schema.json', 'penstock schema connector'],
  actions: [
    'penstock actions                           # the connectors',
    'penstock actions CONNECTOR',
    'penstock actions CONNECTOR --unknown > my-actions.yaml',
  ],
  sample: [
    'penstock sample CONNECTOR --format cef',
    'penstock sample CONNECTOR --action policy_updated | jq .',
    'penstock sample CONNECTOR --drop optional,unmapped > /dev/null   # what leaving these out saves',
  ],
  siem: [
    'penstock siem splunk                       # ./siem/splunk is an add-on',
    'penstock siem sigma --connectors-dir ./my-connectors',
  ],
  'connector new': ['penstock connector new acme --dir ./my-connectors'],
  'connector test': ['penstock connector test ./my-connectors/acme', 'penstock connector test ./my-connectors/acme --update'],
  'connector record': ['penstock connector record acme-prod --from 2026-11-21T10:00:00Z --to 2026-11-21T10:10:00Z --case first'],
  simulate: [
    'penstock simulate                          # prints the sources to put into a configuration',
    'penstock simulate --faults rate_limited,late_rows --seed 7',
  ],
  completion: [
    'penstock completion bash > ~/.local/share/bash-completion/completions/penstock',
    'penstock completion fish > ~/.config/fish/completions/penstock.fish',
  ],
  demo: ['penstock demo --for 10s > events.ndjson    # events in the file, the summary on the terminal'],
};

/** What the examples of a command need to know besides, by its words. */
export const helpNotes: Readonly<Record<string, string>> = Object.fromEntries(
  ['verify', 'backfill', 'replay', 'dead-letters', 'tail'].map((name) => [
    name,
    'A time is 2026-11-21T10:00:00Z, a date (from its first to its last millisecond, UTC), or how long ago: 90m, 7d.',
  ]),
);

/** Adds `help`, `version`, the topics and the examples. */
export function addHelp(program: Command, { output }: CommandContext): void {
  const list = Object.entries(helpTopics).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`);
  program.addHelpText('after', `\nTopics (penstock help TOPIC):\n${list.join('\n')}\n`);
  program.addHelpText(
    'after',
    'Start here:\n  $ penstock demo                       see it work, with simulated vendors\n  $ penstock init                       write a first configuration\n  $ penstock help config                how to write a configuration\n  $ penstock validate -c penstock.yaml  every fault in it, with line and fix\n  $ penstock help COMMAND               options of a command, and examples',
  );
  program
    .command('version')
    .description('print the version')
    .action(() => output.line(packageVersion));
  program.helpCommand(false);
  program
    .command('help')
    .argument('[topic...]', 'a command or a topic')
    .description('explain a command or a topic')
    .action((words: readonly string[]) => {
      const found = words.length === 1 ? helpTopics[words[0] ?? ''] : undefined;
      if (found === undefined) explainCommand(program, words);
      else output.line(found.text.trimEnd());
    });
  for (const command of program.commands) addExamples(command, command.name());
}

function addExamples(command: Command, path: string): void {
  const lines = helpExamples[path];
  const note = helpNotes[path];
  if (lines !== undefined) command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
  if (note !== undefined) command.addHelpText('after', `\n${note}`);
  for (const below of command.commands) addExamples(below, `${path} ${below.name()}`);
}

/** Explains the command that the words lead to: none, `replay`, `dead-letters list`. */
function explainCommand(program: Command, words: readonly string[]): void {
  let command = program;
  for (const [index, word] of words.entries()) {
    const below = command.commands.find((candidate) => candidate.name() === word);
    if (below === undefined) throw noHelp(command, words.slice(0, index + 1), index === 0 ? Object.keys(helpTopics) : []);
    command = below;
  }
  command.outputHelp();
}

function noHelp(command: Command, words: readonly string[], names: readonly string[]): PenstockError {
  const guess = nearest(words.at(-1) ?? '', [...names, ...command.commands.map((candidate) => candidate.name())]);
  const before = ['penstock', 'help', ...words.slice(0, -1)].join(' ');
  return new PenstockError('PEN_USAGE', `there is no help on "${words.join(' ')}"`, {
    fix: guess === undefined ? `see "${before}"` : `did you mean "${before} ${guess}"?`,
  });
}
