"""From boxes to pseudo masks: sources, selection and filtering."""
