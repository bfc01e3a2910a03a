// The room's door: records become events here, events become lines. Who validates events by OCSF takes ocsf/validate.ts by file, and reads a
// compiler of schemas with it, which nobody else needs.

export { normaliseKey } from './action-key.ts';
export { ActionNameSpec, actionNamePaths, compileActionName } from './action-name.ts';
export { ActionTableSpec } from './action-spec.ts';
export { type ActionTable, checkActions, compileActions } from './action-table.ts';
export { boundDepth, isWiderThan } from './depth.ts';
export { cefHeader, cefValue } from './encode/cef-leef.ts';
export { encodeBody, isJsonFormat } from './encode/encode-body.ts';
export { cefSeverity, severityOf } from './event.ts';
export { compileFingerprint, compileHashId, fingerprintOf, type HashField, hashText, uidOf } from './identity.ts';
export { checkMap, MapSpec, PathsSpec } from './map-spec.ts';
export { compileMapper } from './mapper.ts';
export { compileDrop, type Droppable, dropFaults, droppable } from './ocsf/drop.ts';
export { isKnownClass } from './ocsf/shapes.ts';
export { compileHas, compilePath, compileSteps, parsePath, type Step } from './path.ts';
export { compileText } from './reads.ts';
export { redact } from './redact.ts';
export { compileTime, parseTime } from './time.ts';
export { openZone } from './zone.ts';
