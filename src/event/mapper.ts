import { isObject } from '../base/json.ts';
import { normaliseKey } from './action-key.ts';
import { type Action, type ActionTable, shapeFor } from './action-table.ts';
import { type Attributes, type MappedEvent, type Metadata, observablesOf, type Thing, unknownName } from './attributes.ts';
import { baseHead, mapFailedLabel, textEvent, unmapForBase, unreadableLabel } from './base-event.ts';
import { fillClient } from './client.ts';
import { boundDepth } from './depth.ts';
import type { Envelope, Mapped, Mapper, PageContext } from './event.ts';
import { type MetadataMaker, openMetadata } from './metadata.ts';
import { readActor } from './parties.ts';
import { fillStatus, type MapperParts, openReads, type RecordReads, readParties, type Told, unfold } from './record-reads.ts';
import { riskOfAction } from './risk.ts';
import { fillSession } from './session.ts';
import { placeTarget } from './target.ts';

interface Found {
  readonly key: string;
  readonly action: Action | undefined;
}

interface Machine {
  readonly table: ActionTable;
  readonly embedded: readonly string[];
  readonly reads: RecordReads;
  readonly metadata: MetadataMaker;
  readonly find: (action: string) => Found;
}

// A hostile feed may send a new action with every record; the memory of names stays small.
const rememberedNames = 2000;
const longestRemembered = 200;
const baseProfiles = ['host'];

function openFinder(table: ActionTable): Machine['find'] {
  const known = new Map<string, Found>();
  return (action) => {
    const hit = known.get(action);
    if (hit !== undefined) return hit;
    const key = normaliseKey(action);
    const found = { key: key === '' ? 'unknown' : key, action: table.find(key) };
    if (known.size >= rememberedNames) known.clear();
    if (action.length <= longestRemembered) known.set(action, found);
    return found;
  };
}

function rawText(record: unknown): string {
  return typeof record === 'string' ? record : (JSON.stringify(boundDepth(record)) ?? '');
}

function mapText(
  { metadata }: Machine,
  envelope: Envelope,
  context: PageContext,
  activity: string,
  message: string,
  label: string,
): Mapped {
  const text = rawText(envelope.record);
  const tenant = context.tenant;
  const own = metadata(envelope, context, [label, 'time:received']);
  if (tenant !== undefined && tenant !== '') own.tenant_uid = tenant;
  return {
    event: textEvent(activity, message, envelope.received, text, own),
    action: undefined,
    actionKey: undefined,
    raw: () => text,
  };
}

function timeLabels(time: Told | undefined): readonly string[] {
  if (time === undefined) return ['time:received'];
  return time.dayOnly ? ['time_precision:day'] : [];
}

function fillMetadata(
  metadata: Metadata,
  reads: RecordReads,
  record: unknown,
  tenant: string | undefined,
  time: Told | undefined,
): void {
  const original = time === undefined ? reads.timeText.get(record) : time.text;
  if (original !== undefined) metadata.original_time = original;
  const id = reads.id.take(record);
  if (id !== undefined) metadata.original_event_uid = id;
  if (tenant !== undefined) metadata.tenant_uid = tenant;
  const logged = reads.logged.take(record);
  if (logged !== undefined) metadata.logged_time = logged;
  const correlation = reads.correlation.take(record);
  if (correlation !== undefined) metadata.correlation_uid = correlation;
}

function tenantThing(reads: RecordReads, record: unknown, uid: string | undefined): Thing | undefined {
  const name = reads.actor.orgName.get(record);
  if (uid === undefined && name === undefined) return undefined;
  return { ...(name === undefined ? {} : { name }), ...(uid === undefined ? {} : { uid }) };
}

function fillActorAndClient(event: Attributes, reads: RecordReads, record: unknown, tenant: string | undefined): void {
  const user = readActor(reads.actor, record, tenant);
  if (user !== undefined) event.actor = { user };
  fillClient(event, reads.client, record);
}

function fillMessage(event: Attributes, reads: RecordReads, record: unknown, title: string | undefined): void {
  const message = reads.message.take(record);
  if (message !== undefined) event.message = message;
  else if (title !== undefined) event.message = event.status_id === 2 ? `${title} (failed)` : title;
}

function mapObject(
  machine: Machine,
  envelope: Envelope,
  context: PageContext,
  record: Record<string, unknown>,
  code: string,
): Mapped {
  const { reads, table } = machine;
  const { key, action } = machine.find(code);
  const shape = action === undefined ? undefined : shapeFor(action, record);
  const tenant = reads.tenant.take(record) ?? (context.tenant === '' ? undefined : context.tenant);
  const time = reads.time.take(record);
  const event: Attributes = { ...(shape?.head ?? baseHead(code)), status_id: 0, status: '', time: time?.ms ?? envelope.received };
  fillStatus(event, reads, table, record);
  fillMessage(event, reads, record, action?.row.title);
  fillActorAndClient(event, reads, record, tenant);
  fillSession(event, reads.session, record, shape?.head.class_uid ?? 0);
  const parties = readParties(reads, record, tenantThing(reads, record, tenant));
  let extra: Record<string, unknown> | undefined;
  if (shape === undefined) extra = unmapForBase(event, parties.target, record);
  else {
    if (shape.requires.includes('actor')) event.actor ??= { app_name: unknownName };
    if (shape.requires.includes('src_endpoint')) event.src_endpoint ??= { name: unknownName };
    if (event.src_endpoint !== undefined) reads.client.fillOrigin?.(event.src_endpoint, record);
    placeTarget(event, shape, parties, table.spec.product);
    if (action?.risk !== undefined) event.enrichments = [riskOfAction(code, action.risk)];
  }
  const metadata = machine.metadata(envelope, context, timeLabels(time));
  metadata.event_code = code;
  fillMetadata(metadata, reads, record, tenant, time);
  const profiles = shape?.profiles ?? baseProfiles;
  if (profiles.length > 0 && event.actor !== undefined) metadata.profiles = profiles;
  event.metadata = metadata;
  const observables = observablesOf(event);
  if (observables !== undefined) event.observables = observables;
  const rest = reads.paths.rest(record);
  const unmapped = extra === undefined ? rest : { ...rest, ...extra };
  if (unmapped !== undefined && Object.keys(unmapped).length > 0) event.unmapped = unmapped;
  return { event: event as MappedEvent, action: action?.row, actionKey: key, raw: () => rawText(envelope.record) };
}

function mapEnvelope(machine: Machine, envelope: Envelope, context: PageContext): Mapped {
  const { reads, embedded } = machine;
  const { record, unreadable } = envelope;
  const asText = (reason: string): Mapped =>
    mapText(machine, envelope, context, 'Unreadable record', `Record could not be read: ${reason}`, unreadableLabel);
  if (unreadable !== undefined) return asText(unreadable);
  if (!isObject(record)) return asText('it is not an object');
  const whole = embedded.length === 0 ? record : unfold(record, embedded);
  reads.paths.begin();
  const code = reads.action.take(whole);
  return code === undefined ? asText('it has no action') : mapObject(machine, envelope, context, whole, code);
}

/**
 * Compiles table, `map:` and `record:` into a mapper. Throws a SyntaxError for a text that is no path (see `checkMap`). The mapper itself
 * never throws: a record that breaks it comes back as Base Event with its text, `failed` says why.
 */
export function compileMapper(parts: MapperParts): Mapper {
  const { table, map } = parts;
  const machine: Machine = {
    table,
    embedded: map.parse ?? [],
    reads: openReads(parts),
    metadata: openMetadata(table.spec),
    find: openFinder(table),
  };
  return {
    table: table.spec.source,
    map(envelope, context) {
      try {
        return mapEnvelope(machine, envelope, context);
      } catch (error) {
        const failed = error instanceof Error ? error.message : String(error);
        return {
          ...mapText(machine, envelope, context, 'Unmapped record', 'Record could not be mapped', mapFailedLabel),
          failed,
        };
      }
    },
  };
}
