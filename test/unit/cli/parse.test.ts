import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { defineCommand, type AnyCommand } from '../../../src/cli/command.ts';
import { crawlCommand } from '../../../src/cli/commands/crawl.ts';
import { syncCommand } from '../../../src/cli/commands/sync.ts';
import { parseCommandLine } from '../../../src/cli/parse.ts';

const bake = defineCommand({
  name: 'bake',
  summary: 'Bake bread',
  options: {
    flour: { type: 'string', describe: 'which flour' },
    oven: { type: 'string', default: 'stone', choices: ['stone', 'gas'], describe: 'which oven' },
    loaves: { type: 'integer', min: 1, default: 2, describe: 'how many' },
    minutes: { type: 'integer', min: 0, describe: 'how long' },
    seeds: { type: 'strings', describe: 'what is in it' },
    marks: { type: 'strings', hasCommas: true, describe: 'what is on it' },
    'dry-run': { type: 'boolean', default: false, describe: 'only say so' },
    salt: { type: 'boolean', describe: 'with salt' },
    crust: { type: 'string', choices: ['thin', 'thick'], bare: 'thin', describe: 'with a crust' },
  },
  examples: [['$0 bake --flour rye', 'rye bread']],
  epilogue: 'Eat it warm.',
  load: async () => async () => 0,
});
const eat: AnyCommand = defineCommand({
  name: 'eat',
  summary: 'Eat bread',
  options: {},
  examples: [],
  load: async () => async () => 0,
});

const DEFAULTS = { oven: 'stone', loaves: 2, seeds: [], marks: [], 'dry-run': false };

/** What is not undefined of the values of `bake`. */
async function values(
  words: string,
  env: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const argv = ['bake', ...words.split(' ').filter(Boolean)];
  const parsed = await parseCommandLine(argv, env, { commands: [bake, eat], version: '1.2.3' });
  ok('command' in parsed);
  return Object.fromEntries(Object.entries(parsed.values).filter(([, v]) => v !== undefined));
}

async function text(...argv: string[]): Promise<string> {
  const parsed = await parseCommandLine(argv, {}, { commands: [bake, eat], version: '1.2.3' });
  ok('text' in parsed);
  return parsed.text;
}

/** Words, and the values that are not the defaults. */
const READ: [string, Record<string, unknown>][] = [
  ['', {}],
  ['--flour rye', { flour: 'rye' }],
  ['--crust', { crust: 'thin' }],
  ['--crust=thick --salt', { crust: 'thick', salt: true }],
  ['--crust=thick --crust', { crust: 'thin' }],
  ['--flour=rye=best', { flour: 'rye=best' }],
  ['--flour 007', { flour: '007' }],
  ['--flour 1e3', { flour: '1e3' }],
  ['--flour=-rc', { flour: '-rc' }],
  ['--flour -rc --loaves 3', { flour: '-rc', loaves: 3 }],
  ['--seeds -a --seeds -b', { seeds: ['-a', '-b'] }],
  ['--flour=', {}],
  ['--flour true', { flour: 'true' }],
  ['--flour rye --flour oat', { flour: 'oat' }],
  ['--oven gas', { oven: 'gas' }],
  ['--oven=', {}],
  ['--loaves 7', { loaves: 7 }],
  ['--loaves 3 --loaves 4', { loaves: 4 }],
  ['--minutes 0', { minutes: 0 }],
  ['--seeds sesame --seeds poppy', { seeds: ['sesame', 'poppy'] }],
  ['--seeds sesame,poppy --seeds=oat', { seeds: ['sesame', 'poppy', 'oat'] }],
  ['--seeds=', {}],
  ['--marks a{1,3} --marks b,c', { marks: ['a{1,3}', 'b,c'] }],
  ['--dry-run', { 'dry-run': true }],
  ['--dry-run --loaves 3', { 'dry-run': true, loaves: 3 }],
  ['--dry-run false', {}],
  ['--dry-run --dry-run=false', {}],
  ['--dry-run=', {}],
  ['--salt=no', { salt: false }],
];

describe('parseCommandLine', () => {
  for (const [words, expected] of READ) {
    it(`reads ${JSON.stringify(words)}`, async () => {
      deepEqual(await values(words), { ...DEFAULTS, ...expected });
    });
  }

  it('reads a boolean in every spelling, on the command line and in the environment', async () => {
    for (const [spellings, expected] of [
      [['true', '1', 'yes', 'on', 'TRUE', 'Yes'], true],
      [['false', '0', 'no', 'off', 'FALSE', 'No'], false],
    ] as const) {
      for (const spelling of spellings) {
        const bySpelling = [
          await values(`--salt=${spelling}`),
          await values('', { REGISTRY_SYNC_SALT: spelling }),
        ];
        deepEqual(
          bySpelling.map(({ salt }) => salt),
          [expected, expected],
          spelling,
        );
      }
    }
  });

  it('names the command that was given', async () => {
    const parsed = await parseCommandLine(['eat'], {}, { commands: [bake, eat], version: '1' });

    equal('command' in parsed && parsed.command.name, 'eat');
  });
});

/** Words, environment, what the message says. */
const REFUSED: [string, Record<string, string>, RegExp][] = [
  [
    'bake --flower rye',
    {},
    /^unknown option --flower: did you mean --flour\? \(see registry-sync bake --help\)$/,
  ],
  ['bake --flour rye --zzz', {}, /^unknown option --zzz \(see/],
  [
    'bake --dryrun --flor x',
    {},
    /--dryrun: did you mean --dry-run\?; unknown option --flor: did you mean --flour\?/,
  ],
  ['bake -q', {}, /^unknown option -q \(see/],
  ['bake --no-salt', {}, /^unknown option --no-salt/],
  ['bake --flour.x rye', {}, /^unknown option --flour\.x: did you mean --flour\?/],
  ['bake --dryRun', {}, /^unknown option --dryRun: did you mean --dry-run\?/],
  [
    'bake bread',
    {},
    /^a word that belongs to no option: "bread" \(see registry-sync bake --help\)$/,
  ],
  ['bake --salt yes', {}, /^a word that belongs to no option: "yes"/],
  ['bke', {}, /^unknown command "bke": did you mean bake\? \(see registry-sync --help\)$/],
  ['swim', {}, /^unknown command "swim" \(see registry-sync --help\)$/],
  ['swim a b', {}, /^unknown command "swim" \(see registry-sync --help\)$/],
  ['standalone-sign a b c -o d', {}, /^standalone-sign: signing is not supported yet/],
  ['standalone-verify a b c d', {}, /^standalone-verify: signatures are not checked yet/],
  ['layers docker://a', {}, /^layers: was given up/],
  ['', {}, /^give a command/],
  ['bake --flour', {}, /^--flour needs a value \(see/],
  ['bake --flour --salt', {}, /^--flour needs a value/],
  ['bake --salt -x', {}, /^unknown option -x/],
  ['bake --oven wood', {}, /^--oven: "wood" is none of stone, gas$/],
  ['bake --loaves 0', {}, /^--loaves: "0" is no whole number from 1 on$/],
  ['bake --loaves two', {}, /"two" is no whole number/],
  ['bake --loaves 1.5', {}, /"1\.5" is no whole number/],
  ['bake --loaves -1', {}, /"-1" is no whole number/],
  ['bake --loaves 1e3', {}, /"1e3" is no whole number/],
  ['bake --loaves 99999999999999999999', {}, /is no whole number/],
  ['bake --salt=perhaps', {}, /^--salt: "perhaps" is neither true nor false$/],
  ['bake', { REGISTRY_SYNC_SALT: 'perhaps' }, /^REGISTRY_SYNC_SALT: "perhaps" is neither/],
  ['bake', { REGISTRY_SYNC_LOAVES: 'x' }, /--loaves: "x" is no whole number/],
];

describe('parseCommandLine refuses', () => {
  for (const [words, env, message] of REFUSED) {
    it(`${words} ${JSON.stringify(env)}`, async () => {
      const parsing = parseCommandLine(words.split(' ').filter(Boolean), env, {
        commands: [bake, eat],
        version: '1',
      });

      await rejects(parsing, { code: 'USAGE', message });
    });
  }

  it('without showing the value of an option, which may be a secret', async () => {
    const argv = ['--password', 'hunter2', 'bake', '--bad', 'hunter3'];

    await rejects(
      parseCommandLine(argv, {}, { commands: [bake], version: '1' }),
      (error: Error) => {
        ok(!/hunter/.test(error.message), error.message);
        return true;
      },
    );
  });
});

describe('environment variables', () => {
  it('stand for options, but the command line counts first', async () => {
    const env = {
      REGISTRY_SYNC_FLOUR: 'rye',
      REGISTRY_SYNC_LOAVES: '5',
      REGISTRY_SYNC_DRY_RUN: '1',
      REGISTRY_SYNC_SEEDS: 'sesame, poppy\noat',
      REGISTRY_SYNC_MARKS: 'a{1,3}\nb,c',
    };

    deepEqual(await values('--loaves 6', env), {
      oven: 'stone',
      flour: 'rye',
      loaves: 6,
      'dry-run': true,
      seeds: ['sesame', 'poppy', 'oat'],
      marks: ['a{1,3}', 'b,c'],
    });
    deepEqual((await values('--seeds rice', env)).seeds, ['rice']);
    equal((await values('--dry-run=false', env))['dry-run'], false);
  });

  it('can say yes and no to an option that has a value of its own', async () => {
    const crust = async (value: string) => (await values('', { REGISTRY_SYNC_CRUST: value })).crust;

    equal(await crust('true'), 'thin');
    equal(await crust('thick'), 'thick');
    equal(await crust('No'), undefined);
    await rejects(crust('crisp'), { code: 'USAGE', message: /--crust: "crisp" is none of/ });
  });

  it('count as not set when they are empty', async () => {
    const env = { REGISTRY_SYNC_FLOUR: '', REGISTRY_SYNC_LOAVES: '', REGISTRY_SYNC_SALT: '' };

    deepEqual(await values('', env), DEFAULTS);
  });

  it('are passed over when no option has their name, as Kubernetes makes them of services', async () => {
    const env = {
      REGISTRY_SYNC_PORT: 'tcp://10.0.0.1:80',
      REGISTRY_SYNC_SERVICE_HOST: '10.0.0.1',
      REGISTRY_SYNC_PORT_80_TCP_PROTO: 'tcp',
      REGISTRY_SYNC_HELP: '1',
      FLOUR: 'rye',
    };

    deepEqual(await values('', env), DEFAULTS);
  });
});

describe('help', () => {
  it('lists the commands, then the options of one', async () => {
    match(await text('--help'), /bake +Bake bread\n.*eat +Eat bread/s);
    const help = await text('bake', '--help');
    match(help, /--loaves +how many .*\[default: 2\]/);
    match(help, /registry-sync bake --flour rye +rye bread/);
    match(help, /Eat it warm\.\n\nEvery option can also be an environment variable/);
    equal(await text('bake', '-h'), help);
  });

  it('is a text for every real command, no line of it wider than 100', async () => {
    for (const { name } of [crawlCommand, syncCommand]) {
      const commands = [crawlCommand, syncCommand];
      const parsed = await parseCommandLine([name, '--help'], {}, { commands, version: '1' });
      ok('text' in parsed);
      const options = parsed.text.split('\n').filter((line) => line.startsWith(' '));
      deepEqual(
        options.filter((line) => line.length > 100),
        [],
      );
    }
  });

  it('has the version', async () => {
    equal(await text('--version'), '1.2.3');
  });
});
