/** A call of the API in several languages, to copy. */
import { type Call, snippetsOf } from './calls.ts';
import { CopyButton } from './copy-button.tsx';
import { Tabs } from './tabs.tsx';

/** The section. */
export function CallTabs({ call }: { readonly call: Call }) {
  return (
    <section class="calls" aria-labelledby="calls-title">
      <h2 id="calls-title">This call from your program</h2>
      <Tabs
        label="Language"
        tabs={snippetsOf(call).map(({ name, code }) => ({
          name,
          content: (
            <div class="code">
              <CopyButton text={code} what={`the ${name} call`} />
              <pre>
                <code>{code}</code>
              </pre>
            </div>
          ),
        }))}
      />
    </section>
  );
}
