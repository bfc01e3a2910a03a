import { type ActionTable, normaliseKey } from '../event/index.ts';
import type { ActionSummary } from './connector.ts';

/** A row of the action table for people. */
export function summarise({ head, spec }: ActionTable['actions'][number]): ActionSummary {
  return {
    action: spec.action,
    key: spec.key,
    title: spec.title,
    group: spec.group,
    className: head.class_name,
    classUid: head.class_uid,
    activity: head.activity_name,
    severity: head.severity,
    severityId: head.severity_id,
    risk: spec.risk?.level ?? 'none',
    confirmed: spec.wire === 'documented',
    activityId: head.activity_id,
    aliases: (spec.aliases ?? []).map(normaliseKey),
  };
}
