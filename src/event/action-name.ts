// What a record calls its action: one field, or several put together where a vendor tells the object and the verb apart.
import { type Static, Type } from 'typebox';
import { PathsSpec } from './map-spec.ts';
import { compileText, type Paths, type Read, textOf } from './reads.ts';

const JoinSpec = Type.Object(
  {
    join: Type.Array(PathsSpec, {
      minItems: 2,
      description: 'Paths whose texts are put together; those that are not there are left out.',
    }),
    with: Type.Optional(Type.String({ description: 'What stands between them; a dot by default.' })),
  },
  { additionalProperties: false, description: 'An action out of several fields, such as { join: [resource.type, verb] }.' },
);

const ConstSpec = Type.Object(
  { value: Type.String({ minLength: 1, description: 'The name of every record, for a log that has one kind of event.' }) },
  { additionalProperties: false, description: 'The same action for every record, such as { value: Sign-in }.' },
);

/** Where a record tells its action: a path, candidates, or several fields put together. */
export const ActionNameSpec = Type.Union([...PathsSpec.anyOf, JoinSpec, ConstSpec], {
  description: 'Path of the action, a list of candidates, { join: [paths], with: "." }, or { value: name }.',
});
export type ActionNameSpec = Static<typeof ActionNameSpec>;

type Join = Static<typeof JoinSpec>;

const isJoin = (spec: ActionNameSpec): spec is Join => typeof spec === 'object' && !Array.isArray(spec) && 'join' in spec;
const isConst = (spec: ActionNameSpec): spec is Static<typeof ConstSpec> =>
  typeof spec === 'object' && !Array.isArray(spec) && 'value' in spec;

function joined(parts: readonly (string | undefined)[], { with: between = '.' }: Join): string | undefined {
  const texts = parts.filter((part) => part !== undefined);
  return texts.length === 0 ? undefined : texts.join(between);
}

/** Compiles the action's name for those who only want the text. Throws a SyntaxError for a text that is no path. */
export function compileActionName(spec: ActionNameSpec): (record: unknown) => string | undefined {
  if (isConst(spec)) return () => spec.value;
  if (!isJoin(spec)) return compileText(spec);
  const parts = spec.join.map((paths) => compileText(paths));
  return (record) =>
    joined(
      parts.map((part) => part(record)),
      spec,
    );
}

/** Prepares the read of the action's name; see {@link compileActionName}. */
export function readActionName(paths: Paths, spec: ActionNameSpec): Read<string> {
  if (isConst(spec)) return { get: () => spec.value, claim: () => undefined, take: () => spec.value };
  if (!isJoin(spec)) return paths.read(spec, textOf);
  const parts = spec.join.map((one) => paths.read(one, textOf));
  const get = (record: unknown): string | undefined =>
    joined(
      parts.map((part) => part.get(record)),
      spec,
    );
  const claim = (): void => {
    for (const part of parts) part.claim();
  };
  return {
    get,
    claim,
    take(record) {
      const name = get(record);
      claim();
      return name;
    },
  };
}

type Place = readonly [path: readonly (string | number)[], text: string];

/** The texts of a name that have to be paths, each with its place. */
export function actionNamePaths(spec: ActionNameSpec): readonly Place[] {
  if (isConst(spec)) return [];
  if (!isJoin(spec)) return placesOf(spec, []);
  return spec.join.flatMap((paths, index) => placesOf(paths, ['join', index]));
}

function placesOf(paths: PathsSpec, at: readonly (string | number)[]): Place[] {
  return typeof paths === 'string' ? [[at, paths]] : paths.map((text, index): Place => [[...at, index], text]);
}
