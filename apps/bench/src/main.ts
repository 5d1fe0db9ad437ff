// The command line of the bench: which measures there are, with which options.

import { Command, InvalidArgumentError, Option } from 'commander';
import { benchAccuracy } from './accuracy.ts';
import { benchAssign } from './assign.ts';
import { type BackendName, backendNames } from './backends.ts';
import { Failure } from './failure.ts';
import { defaultFolder, type SetName, setNames } from './sets.ts';
import { benchTrainStep } from './train-step.ts';

function toSeed(text: string): number {
  const seed = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(seed) || seed < 0) {
    throw new InvalidArgumentError('Allowed is an integer of at least 0.');
  }
  return seed;
}

function toCount(text: string): number {
  const count = toSeed(text);
  if (count === 0) throw new InvalidArgumentError('Allowed is an integer of at least 1.');
  return count;
}

const cases = { assign: benchAssign, 'train-step': benchTrainStep } as const;

const program = new Command('bench')
  .description('Speed and accuracy of @fkm/*. The last lines printed are one JSON object a result.')
  .showHelpAfterError('(bench <command> --help says what is allowed)');

program
  .command('accuracy')
  .description('trains with no options on raw features, and scores rows that were held out')
  .addOption(new Option('--set <name>', 'data set').choices(setNames))
  .option('--all', 'every data set')
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .option('--seed <n>', 'seed of the split and of the model', toSeed, 0)
  .option('--data <path>', 'folder of the data sets', defaultFolder)
  .action(async (options: AccuracyFlags, command: Command) => {
    if ((options.set === undefined) !== (options.all === true)) {
      command.error(`error: give either --set <name> or --all`);
    }
    const sets = options.set ? [options.set] : setNames;
    await benchAccuracy({ ...options, sets, folder: options.data });
  });

program
  .command('speed')
  .description('times one computation, against other software where that is installed, in interleaved rounds')
  .addOption(new Option('--case <name>', 'what is timed').choices(Object.keys(cases)).makeOptionMandatory())
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .option('--rounds <n>', 'rounds that count', toCount, 11)
  .action(async (options: SpeedFlags) => cases[options.case](options.backend, options.rounds));

interface SpeedFlags {
  readonly case: keyof typeof cases;
  readonly backend: BackendName;
  readonly rounds: number;
}

interface AccuracyFlags {
  readonly set?: SetName;
  readonly all?: true;
  readonly backend: BackendName;
  readonly seed: number;
  readonly data: string;
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`[fkm/bench] ${error.message}`);
  process.exitCode = 1;
}
