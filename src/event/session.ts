// In which session the performer acted and how strongly they were authenticated.
import type { Attributes, AuthFactor, Session } from './attributes.ts';
import type { MapSpec } from './map-spec.ts';
import { knownText, type Paths, type Read, textOf } from './reads.ts';
import { openWords, wordPaths } from './words.ts';

/** The reads of session and factors. */
export interface SessionReads {
  readonly uid: Read<string>;
  readonly isMfa: Read<boolean>;
  readonly factor: Read<AuthFactor>;
}

const accountChange = 3001;
const authentication = 3002;
/** OCSF captions of auth_factor.factor_type_id. */
const factorTypes: readonly string[] = [
  'Unknown',
  'SMS',
  'Security Question',
  'Phone Call',
  'Biometric',
  'Push Notification',
  'Hardware Token',
  'OTP',
  'Email',
  'U2F',
  'WebAuthn',
  'Password',
];

function readFactor(paths: Paths, spec: MapSpec['auth_factor.factor_type_id']): Read<AuthFactor> {
  const ids = openWords(spec, {});
  return paths.read(spec?.from, (value) => {
    const id = ids(value);
    return id === undefined ? undefined : { factor_type_id: id, factor_type: factorTypes[id] ?? textOf(value) ?? 'Other' };
  });
}

/** Prepares the reads of session and factors. */
export function openSession(paths: Paths, map: MapSpec): SessionReads {
  const mfa = map.is_mfa;
  return {
    uid: paths.read(map['session.uid'], knownText),
    isMfa: paths.read(wordPaths(mfa), openWords(mfa, { true: true, false: false, yes: true, no: false })),
    factor: readFactor(paths, map['auth_factor.factor_type_id']),
  };
}

/** Writes the session: on a sign-in it is the event's own, everywhere else the performer's. Factors have a place where users are signed in or changed. */
export function fillSession(event: Attributes, reads: SessionReads, record: unknown, classUid: number): void {
  const uid = reads.uid.take(record);
  const isMfa = reads.isMfa.take(record);
  const session: Session = uid === undefined ? {} : { uid };
  if (classUid === authentication) {
    if (uid !== undefined) event.session = session;
    if (isMfa !== undefined) event.is_mfa = isMfa;
  } else {
    if (isMfa !== undefined) session.is_mfa = isMfa;
    if (uid !== undefined || isMfa !== undefined) event.actor = { ...event.actor, session };
  }
  const factor = classUid === authentication || classUid === accountChange ? reads.factor.take(record) : undefined;
  if (factor !== undefined) event.auth_factors = [factor];
}
