import { type Static, Type } from 'typebox';
import { sizePattern } from '../../base/quantity.ts';

const Rotate = Type.Object(
  {
    size: Type.Optional(Type.String({ pattern: sizePattern, description: 'Begin a new file before this size is passed.' })),
    every: Type.Optional(Type.Enum(['day', 'hour'], { description: 'Begin a new file when the UTC day or hour changes.' })),
  },
  { additionalProperties: false, description: 'When to begin a new file. Unset: never; logrotate may move the file instead.' },
);

/** Options of `type: file`. */
export const FileSinkOptions = Type.Object(
  {
    path: Type.String({
      minLength: 1,
      format: 'path',
      description: 'File that lines are appended to; its folder is created when missing.',
    }),
    rotate: Type.Optional(Rotate),
    compress_rotated: Type.Boolean({ default: false, description: 'Turn rotated files into .gz.' }),
    keep_files: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000,
        description: 'Maximum number of rotated files to keep; the oldest are deleted. Unset: all.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type FileSinkOptions = Static<typeof FileSinkOptions>;
