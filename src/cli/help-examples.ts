/** Command lines that the help of a command ends with, by its name; a comment says what each is for. */
export const helpExamples: Readonly<Record<string, readonly string[]>> = {
  check: ['penstock check -c penstock.yaml            # before the first run, and after every change of a credential'],
  preview: [
    'penstock preview SOURCE --limit 1          # does the source answer, and is the event what you expect?',
    'penstock preview SOURCE --json | jq .',
  ],
  run: [
    'penstock run -c penstock.yaml              # the daemon; Ctrl-C or SIGTERM ends it, nothing is lost',
    'penstock run --once --timeout 5m           # for a cron job: collect what is due, deliver it, exit',
  ],
  status: [
    'penstock status                            # what is wrong stands below the tables, with the fix',
    'penstock status --check || echo trouble    # for a probe: prints only problems',
  ],
  health: ['penstock health -c penstock.yaml           # what the HEALTHCHECK of the image runs'],
  ledger: ['penstock ledger                            # new = acknowledged + unconfirmed + dead lettered + ... + pending'],
  'dead-letters': [
    'penstock dead-letters list --sink SINK     # what was refused, and the reason',
    'penstock dead-letters show 17              # the record of one',
    'penstock dead-letters retry --sink SINK    # once the cause is gone',
  ],
  verify: [
    'penstock verify SOURCE --from 7d --to 1h   # the last week, but for the last hour',
    'penstock verify SOURCE --from 2026-11-01 --to 2026-11-07 --repair --html report.html',
  ],
  backfill: [
    'penstock backfill SOURCE --from 2026-10-01 --to 2026-10-31',
    'penstock backfill SOURCE --from 2026-11-20T08:00:00Z --to 2026-11-20T09:00:00Z',
  ],
  import: ['penstock import SOURCE ~/Downloads/*.csv'],
  replay: [
    'penstock replay SINK --from 2026-11-20T08:00:00Z --to 2026-11-20T09:00:00Z',
    'penstock replay SINK --from 7d --to 0s --action policy_updated   # after a repair of an action table',
  ],
  sources: [
    'penstock sources list',
    'penstock sources release SOURCE            # the credential is renewed: try at once',
    'penstock sources rename OLD NEW            # before the same in the configuration, with the daemon stopped',
  ],
  sinks: [
    'penstock sinks list',
    'penstock sinks release SINK                # the receiver is repaired: try at once',
    'penstock sinks forget SINK                 # a sink that is gone from the configuration for good',
  ],
  journal: [
    'penstock journal check',
    'penstock journal backup /mnt/journal.db    # also while the daemon runs',
    'penstock journal repair                    # with the daemon stopped; keeps the damaged file',
  ],
  simulate: [
    'penstock simulate                          # prints the sources to put into a configuration',
    'penstock simulate --faults rate_limited,late_rows --seed 7',
  ],
  demo: ['penstock demo --for 10s > events.ndjson    # events in the file, the summary on the terminal'],
};

/** What the examples of a command need to know besides, by its name. */
export const helpNotes: Readonly<Record<string, string>> = Object.fromEntries(
  ['verify', 'backfill', 'replay', 'dead-letters'].map((name) => [
    name,
    'A time is 2026-11-21T10:00:00Z, a date (from its first to its last millisecond, UTC), or how long ago: 90m, 7d.',
  ]),
);
