/** The image of a review, fetched through the deployment: the browser asks nobody else. */
import { useEffect, useState } from 'preact/hooks';
import type { Review } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { useSession } from '../../session.tsx';

/** The picture; of constant height, so that the answers stay in their place. */
export function ReviewImage({ review }: { readonly review: Review }) {
  const { client } = useSession();
  const [url, setUrl] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const { id, has_image: hasImage } = review;
  useEffect(() => {
    setUrl(null);
    setError(null);
    if (!hasImage) return;
    let made: string | null = null;
    let current = true;
    client.getReviewImage(id).then(
      (blob) => {
        if (!current) return;
        made = URL.createObjectURL(blob);
        setUrl(made);
      },
      (thrown: unknown) => {
        if (current) setError(thrown);
      },
    );
    return () => {
      current = false;
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [client, id, hasImage]);
  return (
    <div class="review-image">
      {!hasImage && <p class="quiet">The image was sent along with the request. Images are not kept.</p>}
      {error !== null && <ProblemNote error={error} />}
      {url !== null && <img src={url} alt={review.item_id ?? 'To be reviewed'} />}
    </div>
  );
}
