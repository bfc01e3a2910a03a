// OCSF risk levels, and what an action table says of an action.
import type { Enrichment, RiskLevel } from './attributes.ts';

const names: readonly string[] = ['Info', 'Low', 'Medium', 'High', 'Critical'];
/** What vendors call a level. */
export const riskWords = { none: 0, info: 0, informational: 0, low: 1, medium: 2, moderate: 2, high: 3, critical: 4 };

/** A level by its OCSF number. */
export function riskLevel(id: number): RiskLevel {
  return { risk_level_id: id, risk_level: names[id] ?? 'Other' };
}

/** The level of an action table's row; undefined for a row without risk. */
export function riskOfRow(level: 'none' | 'low' | 'medium' | 'high' | undefined): RiskLevel | undefined {
  return level === undefined || level === 'none' ? undefined : riskLevel(riskWords[level]);
}

/** What an action table says of an action. Without a profile no OCSF class has a risk of its own. */
export function riskOfAction(code: string, data: RiskLevel): Enrichment {
  return { name: 'metadata.event_code', value: code, type: 'risk', provider: 'penstock', data };
}
