// The room's door: records become events here, events become lines.

export { ActionNameSpec, actionNamePaths, compileActionName } from './action-name.ts';
export { ActionTableSpec } from './action-spec.ts';
export { type Action, type ActionTable, checkActions, compileActions, type TableFault } from './action-table.ts';
export { boundDepth } from './depth.ts';
export { cefHeader, cefValue } from './encode/cef.ts';
export { cimFields } from './encode/cim.ts';
export { type EncodeOptions, encodeBody, isJsonFormat } from './encode/encode-body.ts';
export { compileFingerprint, type Fingerprinted } from './fingerprint.ts';
export { compileHashId, fingerprintOf, type HashField, hashText, uidOf } from './identity.ts';
export { normaliseKey } from './key.ts';
export { checkMap, MapSpec, PathsSpec } from './map-spec.ts';
export { compileMapper } from './mapper.ts';
export { compilePath, type Getter, parsePath } from './path.ts';
export type { MapperParts, RecordPaths } from './record-reads.ts';
export { redact } from './redact.ts';
export { cefSeverity, severityOf } from './severity.ts';
export { compileTime, type ParsedTime, parseTime } from './time.ts';
export { compileText } from './values.ts';
