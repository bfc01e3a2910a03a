import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { MappedEvent } from '../attributes.ts';
import { cefSeverity, type Mapped } from '../event.ts';
import { textOf } from '../reads.ts';
import { type Facts, factsOf, mappedEvent, type Named } from './facts.ts';
import { cut, oneLine } from './line.ts';
import { originOf, osText } from './origin.ts';

/** Longest values in characters, ArcSight's CEF implementation standard; all others 1023. */
const limits: Readonly<Record<string, number>> = { act: 63, outcome: 63, externalId: 40, deviceExternalId: 255 };
const customLimit = 4000;
const usualLimit = 1023;

// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000e-\u001f\u007f]/g;
const otherBreaks = /[\v\f\u0085\u2028\u2029]/g;
/** Occurs in every value that does not go as it is. */
// oxlint-disable-next-line no-control-regex
const odd = /[\u0000-\u001f\u007f\u0085\u2028\u2029\ud800-\udfff\\=]/;
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '=': '\\=', '\n': '\\n', '\r': '\\r' };

/** A header field: `\` and `|` escaped, line breaks blanks, cut before escaping. */
export function cefHeader(text: string, limit: number): string {
  return cut(oneLine(text), limit).replace(/[\\|]/g, '\\$&');
}

/** An extension value: `\`, `=` and line breaks escaped, cut before escaping. Line separators of other kinds become `\n`. */
export function cefValue(text: string, limit: number = usualLimit): string {
  if (!odd.test(text)) return cut(text, limit);
  const plain = text.replace(otherBreaks, '\n').replace(controls, ' ').toWellFormed();
  return cut(plain, limit).replace(/[\\=\n\r]/g, (found) => escapes[found] ?? found);
}

type Pairs = [key: string, value: string | number | undefined][];

function custom(slot: string, label: string, value: string | number | undefined): Pairs {
  return value === undefined
    ? []
    : [
        [slot, value],
        [`${slot}Label`, label],
      ];
}

function addressPairs({ address }: Facts): Pairs {
  if (address === undefined) return [];
  if (isIPv4(address)) return [['src', address]];
  return isIPv6(address) ? custom('c6a2', 'Source IPv6 Address', address) : [['shost', address]];
}

/** CEF has no fields for most of it; what has the prefix `penstock` is an extension of its own, as the standard asks for them. */
function originPairs(event: MappedEvent): Pairs {
  const origin = originOf(event);
  const { city, region, country } = origin.location;
  const place = [city, region, country].filter((text) => text !== undefined).join(', ');
  return [
    ['sntdom', origin.userDomain],
    ...custom('flexString2', 'riskLevel', origin.riskLevel),
    ...custom('cn2', 'sourceAsNumber', origin.system.number),
    ...custom('cn3', 'userRiskScore', origin.userRiskScore),
    ['penstockUserRiskLevel', origin.userRiskLevel],
    ['penstockSourceLocation', place === '' ? undefined : place],
    ['penstockSourceAsName', origin.system.name],
    ['penstockSourceOs', osText(origin)],
    ['penstockSessionId', origin.sessionId],
    ['penstockIsMfa', textOf(origin.isMfa)],
    ['penstockAuthFactor', origin.factor],
  ];
}

function extension(mapped: Mapped): Pairs {
  const event = mappedEvent(mapped.event);
  const facts = factsOf(event);
  const affected = facts.isAuthentication ? undefined : (facts.user ?? facts.invited);
  return [
    ['rt', event.time],
    ['externalId', facts.eventId],
    // The vendor's id may be shared by two events, and copies are found by ours: early, so that a cut message keeps it.
    ...custom('flexString1', 'eventUid', event.metadata.uid),
    ['deviceExternalId', event.metadata.tenant_uid],
    ['cat', event.class_name],
    ['act', event.activity_name],
    ['outcome', facts.outcome],
    ['reason', event.status_detail],
    ['suser', facts.actor?.name],
    ['suid', facts.actor?.uid],
    ...addressPairs(facts),
    ['requestClientApplication', facts.userAgent],
    ['duser', affected?.name],
    ['duid', affected?.uid],
    ['sourceServiceName', facts.serviceName],
    ['destinationServiceName', event.metadata.product.name],
    ...custom('cs1', 'targetName', facts.object?.name),
    ...custom('cs2', 'targetId', facts.object?.uid),
    ...custom('cs3', 'targetType', facts.object?.type),
    ...custom('cs4', 'groupName', facts.group?.name ?? facts.group?.uid),
    ...custom('cs5', 'privileges', event.privileges?.join(',')),
    ...custom('cs6', 'correlationId', event.metadata.correlation_uid),
    ...custom('cn1', 'ocsfTypeUid', event.type_uid),
    ...originPairs(event),
    ['msg', event.message],
  ];
}

function limitOf(key: string): number {
  return limits[key] ?? (/^cs\d$/.test(key) ? customLimit : usualLimit);
}

/**
 * The event as one CEF line, version 0. `rt` is in milliseconds; IPv6 goes to c6a2, because version 0 knows `src` as IPv4 only.
 * Source: https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors/
 */
export function cefLine(mapped: Mapped): string {
  const event = mappedEvent(mapped.event);
  const { product, event_code: code = 'unreadable' } = event.metadata;
  const header = [
    cefHeader(product.vendor_name, 63),
    cefHeader(product.name, 63),
    'cloud',
    cefHeader(code, 1023),
    cefHeader(mapped.action?.title ?? event.metadata.event_code ?? event.activity_name, 512),
    cefSeverity(event),
  ];
  const pairs = extension(mapped).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${typeof value === 'number' ? value : cefValue(value, limitOf(key))}`],
  );
  return `CEF:0|${header.join('|')}|${pairs.join(' ')}`;
}

// LEEF defines no escaping: what would end a field is replaced.
const leefText = (text: string): string => oneLine(text).replaceAll('\t', ' ');
const leefHeader = (text: string): string => leefText(text).replaceAll('|', '/');
const nameOf = (named: Named | undefined): string | undefined => named?.name ?? named?.uid;

/**
 * The event as one LEEF 2.0 line, tab-separated. `devTime` is epoch milliseconds and needs no format; `cat` is the class of the action's
 * row, so that it is the same for every event of one id: QRadar looks both up together.
 * Source: https://www.ibm.com/docs/en/dsm?topic=overview-leef-event-components
 */
export function leefLine(mapped: Mapped): string {
  const event = mappedEvent(mapped.event);
  const facts = factsOf(event);
  const origin = originOf(event);
  const { product, event_code: code = 'unreadable', tenant_uid: tenant, uid } = event.metadata;
  const pairs: [string, string | undefined][] = [
    ['devTime', String(event.time).padStart(13, '0')],
    // Early, so that a cut message keeps it.
    ['eventUid', uid],
    ['cat', mapped.action?.class_name ?? event.class_name],
    ['sev', String(cefSeverity(event))],
    ['usrName', nameOf(facts.actor)],
    ['src', facts.address !== undefined && isIP(facts.address) !== 0 ? facts.address : undefined],
    ['accountName', facts.isAuthentication ? undefined : nameOf(facts.user ?? facts.invited)],
    ['groupID', nameOf(facts.group)],
    ['resource', nameOf(facts.object)],
    ['domain', origin.userDomain],
    ['srcCity', origin.location.city],
    ['srcRegion', origin.location.region],
    ['srcCountry', origin.location.country],
    ['srcAsn', textOf(origin.system.number)],
    ['srcAsName', origin.system.name],
    ['srcOs', osText(origin)],
    ['sessionId', origin.sessionId],
    ['isMfa', textOf(origin.isMfa)],
    ['authFactor', origin.factor],
    ['userRiskLevel', origin.userRiskLevel],
    ['userRiskScore', textOf(origin.userRiskScore)],
    ['riskLevel', origin.riskLevel],
    ['action', event.activity_name],
    ['outcome', facts.outcome],
    ['orgId', tenant],
    ['msg', event.message],
  ];
  const told = pairs.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${leefText(value)}`]));
  return `LEEF:2.0|${leefHeader(product.vendor_name)}|${leefHeader(product.name)}|cloud|${leefHeader(code)}|x09|${told.join('\t')}`;
}
