/** What is to be expected of a version: accuracy with its interval, the confusion matrix, classes, the learning curve. */
import type { ComponentChildren } from 'preact';
import type { HeadReport } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { ScrollFrame } from '../../components/scroll-frame.tsx';
import { formatCount, formatPercent } from '../../format.ts';
import { useLoading } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { ConfusionMatrix } from './confusion-matrix.tsx';
import { LearningCurve } from './learning-curve.tsx';

interface HeadReportViewProps {
  readonly reference: string;
  /** What follows from the report. */
  children(report: HeadReport): ComponentChildren;
}

/** The panels. */
export function HeadReportView({ reference, children }: HeadReportViewProps) {
  const { client } = useSession();
  const report = useLoading(() => client.getHeadReport(reference), [client, reference]);
  if (report.error !== null) return <ProblemNote error={report.error} retry={report.reload} />;
  if (report.value === null) return <p class="quiet">Reading the report…</p>;
  return (
    <>
      <section class="panel" aria-labelledby="report-title">
        <h2 id="report-title">What to expect</h2>
        <Accuracy report={report.value} />
        <div class="report-grid">
          <ClassTable report={report.value} />
          <ConfusionMatrix report={report.value} />
          <LearningCurve report={report.value} />
        </div>
        <Duplicates report={report.value} />
      </section>
      {children(report.value)}
    </>
  );
}

function Accuracy({ report: { accuracy, validation, method, unknown } }: { readonly report: HeadReport }) {
  if (accuracy === null) {
    return <p>No class has two examples: nothing can be said about pictures that it has not seen. Add some.</p>;
  }
  const how = validation.kind === 'leave_one_out' ? 'by leaving one out' : `in ${validation.folds} folds`;
  return (
    <>
      <p class="accuracy">
        <strong>{formatPercent(accuracy.value)}</strong>
        <span class="interval" aria-hidden="true">
          <span
            style={{
              insetInlineStart: `${accuracy.low * 100}%`,
              inlineSize: `${(accuracy.high - accuracy.low) * 100}%`,
            }}
          />
          <i style={{ insetInlineStart: `${accuracy.value * 100}%` }} />
        </span>
        <span class="quiet">
          {formatCount(accuracy.count)} of {formatCount(accuracy.of)} right {how}; 95 % interval{' '}
          {formatPercent(accuracy.low)} to {formatPercent(accuracy.high)}; {method.replace('_', ' ')}
        </span>
      </p>
      {unknown !== null && (
        <p class="quiet">
          {formatPercent(unknown.rate)} of the known examples would be called unknown (aim{' '}
          {formatPercent(unknown.target_rate)}).
        </p>
      )}
    </>
  );
}

function ClassTable({ report: { classes } }: { readonly report: HeadReport }) {
  const share = (value: number | null): string => (value === null ? 'none' : formatPercent(value));
  return (
    <ScrollFrame label="By class">
      <table>
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col" class="number">
              Examples
            </th>
            <th scope="col" class="number">
              Precision
            </th>
            <th scope="col" class="number">
              Recall
            </th>
          </tr>
        </thead>
        <tbody>
          {classes.map(({ label, examples, precision, recall }) => (
            <tr key={label}>
              <th scope="row" class="break">
                {label}
              </th>
              <td class="number">{formatCount(examples)}</td>
              <td class="number">{share(precision)}</td>
              <td class="number">{share(recall)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollFrame>
  );
}

function Duplicates({ report: { duplicates } }: { readonly report: HeadReport }) {
  if (duplicates.length === 0) return null;
  return (
    <p>
      {formatCount(duplicates.length)} {duplicates.length === 1 ? 'picture is' : 'pictures are'} in two classes:{' '}
      {duplicates
        .slice(0, 3)
        .map(({ labels }) => labels.join(' and '))
        .join('; ')}
      .
    </p>
  );
}
