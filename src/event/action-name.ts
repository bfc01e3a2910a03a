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

/** Where a record tells its action: a path, candidates, or several fields put together. */
export const ActionNameSpec = Type.Union([...PathsSpec.anyOf, JoinSpec], {
  description: 'Path of the action, a list of candidates, or { join: [paths], with: "." }.',
});
export type ActionNameSpec = Static<typeof ActionNameSpec>;

type Join = Static<typeof JoinSpec>;

const isJoin = (spec: ActionNameSpec): spec is Join => typeof spec === 'object' && !Array.isArray(spec);

function joined(parts: readonly (string | undefined)[], { with: between = '.' }: Join): string | undefined {
  const texts = parts.filter((part) => part !== undefined);
  return texts.length === 0 ? undefined : texts.join(between);
}

/** Compiles the action's name for those who only want the text. Throws a SyntaxError for a text that is no path. */
export function compileActionName(spec: ActionNameSpec): (record: unknown) => string | undefined {
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
  if (!isJoin(spec)) return placesOf(spec, []);
  return spec.join.flatMap((paths, index) => placesOf(paths, ['join', index]));
}

function placesOf(paths: PathsSpec, at: readonly (string | number)[]): Place[] {
  return typeof paths === 'string' ? [[at, paths]] : paths.map((text, index): Place => [[...at, index], text]);
}
