import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

interface Entry {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly engines?: unknown;
  readonly hasInstallScript?: boolean;
  readonly optional?: boolean;
}

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, Entry>>;
};
const installed = Object.entries(packages).filter(([path]) => path !== '');

it('locks every package by its content, and none by an address or by a Node that npm could warn about (npm run lock)', () => {
  const wrong = installed.filter(
    ([, { integrity, resolved, engines }]) => integrity === undefined || resolved !== undefined || engines !== undefined,
  );

  expect(wrong).toEqual([]);
});

it('runs no install script but those that package.json refuses', () => {
  const { allowScripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly allowScripts: Readonly<Record<string, boolean>>;
  };
  const names = installed
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));

  expect(names.filter((name) => allowScripts[name] !== false)).toEqual([]);
});

it('brings Node for the machines that people have', () => {
  const brought = installed.filter(([path]) => /node_modules\/node-(bin-)?(linux|darwin|win)/.test(path));

  expect(brought.map(([path]) => path.replace(/^.*node_modules\/node-(bin-)?/, '')).sort()).toEqual([
    'darwin-arm64',
    'darwin-x64',
    'linux-arm64',
    'linux-x64',
    'win-x64',
  ]);
  expect(brought.filter(([, { optional }]) => optional !== true)).toEqual([]);
});

it('depends on nothing but a Node: what the bundle contains is a tool of the build', () => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Readonly<
    Record<string, Readonly<Record<string, string>> | undefined>
  >;

  expect(dependencies).toBeUndefined();
  expect(Object.keys(optionalDependencies ?? {}).filter((name) => !name.startsWith('node-'))).toEqual([]);
});
