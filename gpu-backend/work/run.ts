/** The worker as a container runs it: `node gpu-backend/work/run.ts --url ...`. */
import { AppError } from '../../worker/errors.ts';
import { runWork } from './main.ts';

try {
  process.exitCode = await runWork(process.argv.slice(2), process.env);
} catch (error) {
  const isUsage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const message =
    error instanceof AppError || isUsage ? (error as Error).message : error instanceof Error ? error.stack : error;
  process.stderr.write(`gpu work: ${message}\n`);
  process.exitCode = isUsage || error instanceof AppError ? 2 : 70;
}
