# IDOL-BoxInst and the TK loss.
_base_ = ['./idol-boxinst.py', './tk.py']
mask_losses = dict(tk=_base_.tk)
