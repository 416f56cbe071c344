"""How the stages of a pipeline config refer to one another."""

from pathlib import Path
from typing import Any, Dict, List, Mapping

from mmengine.config import Config

from ..utils.errors import ConfigError

Stage = Dict[str, Any]


def package_root() -> Path:
    """Folder with ``configs`` and ``tools``: the checkout or ``.mim``."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent
    inside = (checkout / 'configs' / 'labeling').is_dir()
    return checkout if inside else package / '.mim'


def find_config(name: str) -> Path:
    """A file, or one of ours by its path below ``configs/``."""
    path = Path(name)
    return path if path.is_file() else package_root() / 'configs' / path


def find_references(value: Any) -> List[str]:
    """List every ``@NAME`` below a stage."""
    if isinstance(value, Mapping):
        return [r for child in value.values() for r in find_references(child)]
    if isinstance(value, (list, tuple)):
        return [r for child in value for r in find_references(child)]
    return [value] if isinstance(value, str) and value[:1] == '@' else []


def resolve_references(value: Any, outputs: Mapping[str, str]) -> Any:
    """Replace ``@NAME``; a stage that was left out leaves nothing."""
    if isinstance(value, Mapping):
        pairs = {k: resolve_references(v, outputs) for k, v in value.items()}
        return {k: v for k, v in pairs.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [resolve_references(child, outputs) for child in value]
    if isinstance(value, str) and value[:1] == '@':
        name, _, beside = value[1:].partition(':')
        output = outputs.get(name)
        if output is None or not beside:
            return output
        return str(Path(output).parent / beside)
    return value


def substitute_variables(
    variables: Mapping[str, Any], config: Config
) -> List[Stage]:
    """Replace ``$NAME`` by variables of the config."""

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: walk(child) for key, child in value.items()}
        if isinstance(value, (list, tuple)):
            return [walk(child) for child in value]
        if isinstance(value, str) and value[:1] == '$':
            if value[1:] not in variables:
                raise ConfigError(
                    f'no variable {value[1:]!r} in this config',
                    file=config.filename,
                    fix=f'define {value[1:]} = ... in it',
                )
            return variables[value[1:]]
        return value

    return walk(variables['stages'])
