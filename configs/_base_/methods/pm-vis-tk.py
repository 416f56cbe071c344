# PM-VIS and the TK loss.
_base_ = ['./pm-vis.py', './tk.py']
mask_losses = dict(tk=_base_.tk)
