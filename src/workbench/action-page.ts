import { counted } from '../base/quantity.ts';
import type { Files } from '../base/seams.ts';
import { type KnownAction, type KnownTable, knownTableOf } from './known-actions.ts';

/** What a detection engineer reads of one connector: its action codes as events carry them, in Markdown. Throws PEN_USAGE for an unknown name. */
export async function renderActionPage(name: string, files: Files, dirs: readonly string[] = []): Promise<string> {
  return pageOf(name, await knownTableOf(name, files, dirs));
}

const rowOf = ({ codes, title, classUid, className, activity, severity, risk }: KnownAction): string =>
  `| ${codes.map((code) => `\`${code}\``).join(', ')} | ${title} | ${classUid} ${className}: ${activity} | ${severity} | ${risk} |`;

function pageOf(name: string, { table, connectors, metadata, actions }: KnownTable): string {
  const { product, log_name } = metadata;
  const relatives = connectors.map((connector) => connector.name).filter((other) => other !== name);
  const shared = relatives.length === 0 ? '' : ` Events of \`${relatives.join('`, `')}\` have the same codes.`;
  const inferred = actions.filter(({ confirmed }) => !confirmed).map(({ codes }) => `\`${codes[0] ?? ''}\``);
  return `# Actions of ${name}

<!-- Written by: penstock actions ${name} --markdown -->

${product.name} by ${product.vendor_name}; ${counted(actions.length, 'action')}.${shared}

| to find | in format | search |
|---|---|---|
| every event | \`ocsf\` | \`metadata.log_name\` is \`${log_name}\` |
| | \`ecs\` | \`event.dataset\` is \`${log_name}\` |
| | \`cim\` | \`sourcetype=penstock:${table}\` |
| one action | \`ocsf\` | \`metadata.event_code\` is its code |
| | \`ecs\` | \`event.code\` is its code, \`event.action\` the same in lower case with underscores |
| | \`cim\` | \`signature_id\` is its code |
| | \`cef\`, \`leef\` | the signature id, the event id in the header |

An action that is not listed arrives as class 0, Base Event, with the vendor's own code. The code of an event is what the vendor sent, letter by
letter; spellings that differ in case, spaces or punctuation are recognised as the same action.

| code | what happened | class and activity | severity | risk |
|---|---|---|---|---|
${actions.map(rowOf).join('\n')}
${inferred.length === 0 ? '' : `\n${inferredNote(inferred, actions.length)}\n`}`;
}

function inferredNote(codes: readonly string[], all: number): string {
  if (codes.length === all) return 'The vendor publishes none of these codes.';
  if (codes.length > all / 2)
    return 'The vendor publishes titles of its actions; most codes above follow the pattern of those that it publishes as codes.';
  return `The vendor does not publish these codes, they follow the pattern of the others: ${codes.join(', ')}.`;
}
