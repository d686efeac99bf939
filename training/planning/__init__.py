"""What a run of a recipe would cost, said before any hardware is bought, lent or switched on.

`shapes` counts parameters, `flops` work, `memory` bytes of a device, `steps` how long a stage is;
`checking` refuses nonsense; `plan` puts them together and `printing` lays them out for a person.
None of these needs torch. `rehearsal` takes the true model without its weights through sharding,
the optimiser's groups and the planning of a checkpoint.
"""
