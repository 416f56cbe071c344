"""Which category of an annotation file a predicted label means."""

from typing import Any, Dict, Mapping, Sequence, Tuple

from ...utils.errors import AnnotationError, ConfigError


class LabelCategories:
    """Category ids of the labels of a dataset.

    Args:
        meta (Mapping): Metainfo of the dataset; ``category_ids`` decides,
            else the names in ``classes``, else the order of the file.
        categories (Sequence[dict]): ``id`` and ``name``, as in the file.
        file (str): To name in errors.

    Attributes:
        ids (tuple[int]): Category id of every label.

    Raises:
        AnnotationError: If classes of the dataset are not in the file.
    """

    def __init__(
        self,
        meta: Mapping[str, Any],
        categories: Sequence[Dict[str, Any]],
        file: str,
    ) -> None:
        self.file = file
        self.ids = self._ids(
            meta, {c['id']: c.get('name') for c in categories}
        )

    def _ids(
        self, meta: Mapping[str, Any], known: Dict[int, Any]
    ) -> Tuple[int, ...]:
        if 'category_ids' in meta:
            wanted = tuple(meta['category_ids'])
            missing = [key for key in wanted if key not in known]
        elif 'classes' in meta:
            by_name = {name: key for key, name in known.items()}
            missing = [n for n in meta['classes'] if n not in by_name]
            wanted = tuple(by_name.get(n, -1) for n in meta['classes'])
        else:
            return tuple(known)
        if missing:
            raise AnnotationError(
                f'classes of the dataset are not in this file: {missing[:5]}',
                file=self.file,
                fix='give metric and dataset the same ann_file',
            )
        return wanted

    def of(self, label: int, video: int) -> int:
        """Return the category id of a label.

        Args:
            label (int): 0-based.
            video (int): Id of the video, to name in errors.

        Raises:
            ConfigError: If the label has no class.
        """
        if not 0 <= label < len(self.ids):
            raise ConfigError(
                f'predicted label {label} but there are '
                f'{len(self.ids)} classes',
                file=self.file,
                video=video,
                fix='set num_classes of the model to that of the dataset',
            )
        return self.ids[label]
