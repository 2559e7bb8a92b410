"""An operator's commands, over the storage that the settings name. No other package imports this one."""
