import { isIP } from 'node:net';
import type { Mapped } from '../event.ts';
import { cefSeverity } from '../severity.ts';
import { factsOf, mappedEvent, type Named } from './facts.ts';
import { oneLine } from './line.ts';

// LEEF defines no escaping: what would end a field is replaced.
const plain = (text: string): string => oneLine(text).replaceAll('\t', ' ');
const header = (text: string): string => plain(text).replaceAll('|', '/');
const nameOf = (named: Named | undefined): string | undefined => named?.name ?? named?.uid;

/**
 * The event as one LEEF 2.0 line, tab-separated. `devTime` is epoch milliseconds and needs no format; `cat` is the class of the action's
 * row, so that it is the same for every event of one id: QRadar looks both up together.
 * Source: https://www.ibm.com/docs/en/dsm?topic=overview-leef-event-components
 */
export function leefLine(mapped: Mapped): string {
  const event = mappedEvent(mapped.event);
  const facts = factsOf(event);
  const { product, event_code: code = 'unreadable', tenant_uid: tenant, uid } = event.metadata;
  const pairs: [string, string | undefined][] = [
    ['devTime', String(event.time).padStart(13, '0')],
    ['cat', mapped.action?.class_name ?? event.class_name],
    ['sev', String(cefSeverity(event))],
    ['usrName', nameOf(facts.actor)],
    ['src', facts.address !== undefined && isIP(facts.address) !== 0 ? facts.address : undefined],
    ['accountName', facts.isAuthentication ? undefined : nameOf(facts.user ?? facts.invited)],
    ['groupID', nameOf(facts.group)],
    ['resource', nameOf(facts.object)],
    ['action', event.activity_name],
    ['outcome', facts.outcome],
    ['orgId', tenant],
    ['eventUid', uid],
    ['msg', event.message],
  ];
  const told = pairs.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${plain(value)}`]));
  return `LEEF:2.0|${header(product.vendor_name)}|${header(product.name)}|cloud|${header(code)}|x09|${told.join('\t')}`;
}
