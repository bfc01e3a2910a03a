// How risky something is: what a vendor says of the performer, and what the action table says of the action.
import type { Enrichment, RiskLevel, User } from './attributes.ts';
import type { MapSpec } from './map-spec.ts';
import { numberOf, type Paths, type Read, textOf } from './reads.ts';
import { openWords, wordPaths } from './words.ts';

const names: readonly string[] = ['Info', 'Low', 'Medium', 'High', 'Critical'];
const words = { none: 0, info: 0, informational: 0, low: 1, medium: 2, moderate: 2, high: 3, critical: 4 };
// Java writes the members of an object like this, JSON in quotes.
const member = /\blevel"?\s*[=:]\s*"?(\w+)/i;

const levelOf = (id: number): RiskLevel => ({ risk_level_id: id, risk_level: names[id] ?? 'Other' });

/** What the vendor says of the performer. The `part` of a text is read where no word is the whole of it; the text stays where it is then. */
export interface RiskReads {
  readonly level: Read<number>;
  readonly part: Read<number>;
  readonly score: Read<number>;
}

/** Prepares the reads of the performer's risk. */
export function openRisk(paths: Paths, map: MapSpec): RiskReads {
  const spec = map['actor.user.risk_level'];
  const idOf = openWords(spec, words);
  return {
    level: paths.read(wordPaths(spec), idOf),
    part: paths.read(wordPaths(spec), (value) => idOf(member.exec(textOf(value) ?? '')?.[1])),
    score: paths.read(map['actor.user.risk_score'], numberOf),
  };
}

/** Writes what the vendor says of the performer. OCSF has no fractions of a score. */
export function fillRisk(user: User, { level, part, score }: RiskReads, record: unknown): void {
  const id = level.take(record) ?? part.get(record);
  if (id !== undefined) Object.assign(user, levelOf(id));
  const number = score.get(record);
  if (number === undefined) return;
  user.risk_score = Math.round(number);
  if (user.risk_score === number) score.claim();
}

/** The level of an action table's row; undefined for a row without risk. */
export function riskOfRow(level: 'none' | 'low' | 'medium' | 'high' | undefined): RiskLevel | undefined {
  return level === undefined || level === 'none' ? undefined : levelOf(words[level]);
}

/** What an action table says of an action. Without a profile no OCSF class has a risk of its own. */
export function riskOfAction(code: string, data: RiskLevel): Enrichment {
  return { name: 'metadata.event_code', value: code, type: 'risk', provider: 'penstock', data };
}
