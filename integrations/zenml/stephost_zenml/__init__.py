"""A ZenML step operator that launches steps through stephost.

    zenml step-operator flavor register stephost_zenml.StephostStepOperatorFlavor
    zenml step-operator register gpu --flavor=stephost --operator=gpu

``--operator`` is the name of an operator of stephost's own (`stephost operator list`):
whatever place it stands for, ZenML sees one flavor.
"""

from .flavor import StephostStepOperatorConfig, StephostStepOperatorFlavor, StephostStepOperatorSettings

__all__ = ["StephostStepOperatorConfig", "StephostStepOperatorFlavor", "StephostStepOperatorSettings"]
