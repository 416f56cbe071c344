"""How the stages of a pipeline config refer to one another."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from mmengine.config import Config

from ...utils.errors import ConfigError

Stage = Dict[str, Any]

STAGE_TYPES = ('label', 'train', 'test', 'filter', 'overlay', 'report')
# What a stage lists here it shows, if it is there; it is not made for it.
_SOFT = ('sources',)
_OR = ' or '


def package_root() -> Path:
    """Folder with ``configs`` and ``tools``: the checkout or ``.mim``."""
    package = Path(__file__).resolve().parents[2]
    checkout = package.parent
    inside = (checkout / 'configs' / 'labeling').is_dir()
    return checkout if inside else package / '.mim'


def find_config(name: str) -> Path:
    """A file, or one of ours by its path below ``configs/``."""
    path = Path(name)
    return path if path.is_file() else package_root() / 'configs' / path


def resolve_stages(cfg: Config) -> Tuple[List[Stage], List[Stage]]:
    """Read the stages of a pipeline config.

    Variables take the place of ``$NAME``; of ``'$NAME or @STAGE'`` the
    first that is not None stays. ``choices`` of the config maps the name of
    a variable to what each of its values sets: a table of variables.

    A stage with ``lazy=True`` is left out unless another one refers to it
    outside of ``sources``.

    Args:
        cfg (Config): Pipeline config.

    Returns:
        tuple[list[dict]]: Stages to run, in order, and those that nothing
        needs.

    Raises:
        ConfigError: If a variable, a choice or a stage is wrong.
    """
    variables = _choose(cfg.to_dict(), cfg.filename)
    if not variables.get('stages'):
        raise ConfigError(
            'no "stages" in this config',
            file=cfg.filename,
            fix='give a pipeline config, such as one of '
            'configs/labeling/pipeline_*.py',
        )
    stages = _substitute(variables['stages'], variables, cfg.filename)
    _check_stages(stages)
    needed = _needed(stages)
    return (
        [stage for stage in stages if stage['name'] in needed],
        [stage for stage in stages if stage['name'] not in needed],
    )


def _choose(variables: Dict[str, Any], file: Optional[str]) -> Dict[str, Any]:
    """Set what the chosen values stand for."""
    chosen: Dict[str, Any] = {}
    for name, table in (variables.get('choices') or {}).items():
        value = variables.get(name)
        if value not in table:
            raise ConfigError(
                f'{name}={value!r} is unknown',
                file=file,
                fix=f'choose from {list(table)}',
            )
        chosen.update(table[value])
    return {**variables, **chosen}


def _substitute(
    value: Any,
    variables: Mapping[str, Any],
    file: Optional[str],
    seen: Tuple[str, ...] = (),
) -> Any:
    """Replace ``$NAME`` by variables of the config, all the way down."""
    if isinstance(value, Mapping):
        return {
            key: _substitute(child, variables, file, seen)
            for key, child in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(
            _substitute(child, variables, file, seen) for child in value
        )
    if not isinstance(value, str) or value[:1] != '$':
        return value
    name, _, rest = value[1:].partition(_OR)
    if name not in variables or name in seen:
        problem = 'stands for itself' if name in seen else 'is not defined'
        raise ConfigError(
            f'no variable {name!r} in this config: it {problem}',
            file=file,
            fix=f'define {name} = ... in it',
        )
    found = _substitute(variables[name], variables, file, (*seen, name))
    if found is None and rest:
        return _substitute(rest, variables, file, seen)
    return found


def _check_stages(stages: List[Stage]) -> None:
    names: Set[str] = set()
    for stage in stages:
        if stage.get('type') not in STAGE_TYPES:
            raise ConfigError(
                f'unknown stage type {stage.get("type")!r}',
                fix=f'choose from {sorted(STAGE_TYPES)}',
            )
        if stage.get('name') in names or not stage.get('name'):
            raise ConfigError(
                f'stage name {stage.get("name")!r} is missing or taken',
                fix='give every stage a name of its own',
            )
        for value in find_references(stage):
            if stage_of(value) not in names:
                raise ConfigError(
                    f'stage {stage["name"]!r} uses {value!r}, which no '
                    'earlier stage makes',
                    fix='order the stages so that inputs come first',
                )
        names.add(stage['name'])


def _needed(stages: List[Stage]) -> Set[str]:
    needed: Set[str] = set()
    for stage in reversed(stages):
        if stage.get('lazy') and stage['name'] not in needed:
            continue
        needed.add(stage['name'])
        hard = {k: v for k, v in stage.items() if k not in _SOFT}
        needed.update(stage_of(value) for value in find_references(hard))
    return needed


def stage_of(reference: str) -> str:
    """Name the stage that ``@NAME`` or ``@NAME:FILE`` refers to."""
    return reference[1:].partition(':')[0]


def is_reference(value: Any) -> bool:
    """Tell whether a value is ``@NAME`` or ``@NAME:FILE``."""
    return isinstance(value, str) and value[:1] == '@'


def find_references(value: Any) -> List[str]:
    """List every ``@NAME`` below a stage."""
    if isinstance(value, Mapping):
        return [r for child in value.values() for r in find_references(child)]
    if isinstance(value, (list, tuple)):
        return [r for child in value for r in find_references(child)]
    return [value] if is_reference(value) else []


def resolve_references(value: Any, outputs: Mapping[str, str]) -> Any:
    """Replace ``@NAME``; a stage that was left out leaves nothing."""
    if isinstance(value, Mapping):
        pairs = {k: resolve_references(v, outputs) for k, v in value.items()}
        # A plain None is a value like any other.
        return {
            k: v
            for k, v in pairs.items()
            if v is not None or not is_reference(value[k])
        }
    if isinstance(value, (list, tuple)):
        return [resolve_references(child, outputs) for child in value]
    if is_reference(value):
        output = outputs.get(stage_of(value))
        beside = value.partition(':')[2]
        if output is None or not beside:
            return output
        return str(Path(output).parent / beside)
    return value
